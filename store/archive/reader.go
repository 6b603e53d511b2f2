package archive

import (
	"archive/tar"
	"bufio"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Sink is told what Read comes across, in the order of the backup. What it is told is checked against the manifest only
// when Read has returned nil: until then it must be possible to undo what was made of it. A nil function is not called.
type Sink struct {
	Head func(Head) error
	File func(name string, content []byte) error
	// Row gets the values of a row: an int64, string or []byte for each column. They belong to the callee.
	Row func(t Table, values []any) error
}

// Backup is what Read has found to be whole.
type Backup struct {
	Head     Head
	Manifest Manifest
	Files    []string // their paths in the data directory
}

// Read reads a whole backup and checks it. The errors are ErrDamaged, ErrNewerFormat, those of the sink, and those of r,
// which match ErrDamaged too if they tell of damaged compression.
func Read(r io.Reader, to Sink) (Backup, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return Backup{}, broken(err)
	}
	b := reader{tar: tar.NewReader(z), sink: to}
	if err := b.read(); err != nil {
		return Backup{}, broken(err)
	}
	// The checksum of the compressed stream is behind the end of the tar file.
	if _, err := io.Copy(io.Discard, z); err != nil {
		return Backup{}, broken(err)
	}
	return b.backup, nil
}

// broken tells errors of the compression and of the tar file as what they are.
func broken(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return damaged("it was cut short: %w", err)
	case errors.Is(err, gzip.ErrHeader):
		return damaged("it is no backup of skjold: %w", err)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, tar.ErrHeader), errors.As(err, &corrupt):
		return damaged("it is damaged: %w", err)
	}
	return err
}

// reader is the state of reading.
type reader struct {
	tar    *tar.Reader
	sink   Sink
	backup Backup

	members []Member
	tables  map[string]*Adder
	next    int    // index of the first table that may come
	part    string // the name of the member that comes next if the table goes on
}

func (b *reader) read() error {
	if err := b.head(); err != nil {
		return err
	}
	for {
		h, err := b.tar.Next()
		if err != nil {
			return err // io.EOF too: the manifest has not come
		}
		if h.Typeflag != tar.TypeReg {
			return damaged("its member %q is no file", h.Name)
		}
		switch {
		case h.Name == manifestName:
			return b.manifest(h)
		case strings.HasPrefix(h.Name, filesPrefix):
			err = b.file(h)
		case strings.HasPrefix(h.Name, tablesPrefix):
			err = b.rows(h)
		default:
			err = damaged("its member %q belongs to no backup", h.Name)
		}
		if err != nil {
			return err
		}
	}
}

func (b *reader) head() error {
	h, err := b.tar.Next()
	if err != nil {
		return err
	}
	if h.Name != headName {
		return damaged("it is no backup of skjold: its first member is %q", h.Name)
	}
	text, err := b.whole(h, maxHead)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &b.backup.Head); err != nil {
		return damaged("its head can't be read: %w", err)
	}
	if err := b.backup.Head.check(); err != nil {
		return err
	}
	b.tables = make(map[string]*Adder)
	for _, t := range b.backup.Head.Tables {
		b.tables[t.Name] = NewAdder(t)
	}
	if b.sink.Head != nil {
		return b.sink.Head(b.backup.Head)
	}
	return nil
}

// whole reads a small member and notes it.
func (b *reader) whole(h *tar.Header, most int64) ([]byte, error) {
	if h.Size > most {
		return nil, damaged("its member %q has %d bytes, more than %d", h.Name, h.Size, most)
	}
	content, err := readExactly(b.tar, h.Size)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	b.members = append(b.members, Member{Name: h.Name, Size: h.Size, SHA256: hex.EncodeToString(sum[:])})
	return content, nil
}

func (b *reader) file(h *tar.Header) error {
	name := strings.TrimPrefix(h.Name, filesPrefix)
	if !filePattern.MatchString(name) || path.Clean(name) != name {
		return damaged("its file %q is none of a data directory", name)
	}
	content, err := b.whole(h, maxFile)
	if err != nil {
		return err
	}
	b.backup.Files = append(b.backup.Files, name)
	if b.sink.File != nil {
		return b.sink.File(name, content)
	}
	return nil
}

// rows reads a part of a table: the next one of the current table, or the first one of a later table.
func (b *reader) rows(h *tar.Header) error {
	name, _, _ := strings.Cut(strings.TrimPrefix(h.Name, tablesPrefix), "/")
	if h.Name != b.part {
		i := b.next
		for i < len(b.backup.Head.Tables) && b.backup.Head.Tables[i].Name != name {
			i++
		}
		if i == len(b.backup.Head.Tables) || h.Name != fmt.Sprintf("%s%s/%06d", tablesPrefix, name, 1) {
			return damaged("its member %q is out of order", h.Name)
		}
		b.next = i + 1
	}
	var n int
	if _, err := fmt.Sscanf(path.Base(h.Name), "%d", &n); err != nil {
		return damaged("its member %q has no number", h.Name)
	}
	b.part = fmt.Sprintf("%s%s/%06d", tablesPrefix, name, n+1)

	sum := sha256.New()
	r := bufio.NewReaderSize(io.TeeReader(b.tar, sum), 64<<10)
	adder := b.tables[name]
	for {
		values, err := adder.table.ReadRow(r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := adder.Add(values); err != nil {
			return err
		}
		if b.sink.Row != nil {
			if err := b.sink.Row(adder.table, values); err != nil {
				return err
			}
		}
	}
	b.members = append(b.members, Member{Name: h.Name, Size: h.Size, SHA256: hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// manifest reads the manifest and its checksum, and holds what came against it.
func (b *reader) manifest(h *tar.Header) error {
	came := b.members
	text, err := b.whole(h, maxManifest)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	last, err := b.tar.Next()
	if err != nil {
		return err
	}
	if last.Name != sumName || last.Size > 1024 {
		return damaged("its manifest is followed by %q", last.Name)
	}
	line, err := readExactly(b.tar, last.Size)
	if err != nil {
		return err
	}
	if string(line) != fmt.Sprintf("%x  %s\n", sum, manifestName) {
		return damaged("its manifest differs from the checksum")
	}
	m := &b.backup.Manifest
	if err := json.Unmarshal(text, m); err != nil {
		return damaged("its manifest can't be read: %w", err)
	}
	if len(m.Members) != len(came) {
		return damaged("it has %d members where its manifest has %d", len(came), len(m.Members))
	}
	for i, member := range came {
		if m.Members[i] != member {
			return damaged("its member %s differs from the manifest", member.Name)
		}
	}
	for _, t := range b.backup.Head.Tables {
		if m.Tables[t.Name] != b.tables[t.Name].Sum() {
			return damaged("the rows of its table %s differ from the manifest", t.Name)
		}
	}
	if _, err := b.tar.Next(); !errors.Is(err, io.EOF) {
		return damaged("something follows its end")
	}
	return nil
}
