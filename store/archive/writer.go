package archive

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// partSize is where a table's part ends, in bytes before compression; a part has whole rows.
const partSize = 8 << 20

// Writer writes a backup. Nothing is complete before Close has returned nil.
type Writer struct {
	gzip     *gzip.Writer
	tar      *tar.Writer
	head     Head
	time     time.Time
	manifest Manifest

	table *Adder // of the table that is being written
	part  []byte
	parts int
}

// NewWriter begins a backup with its head; the format is set by this package.
func NewWriter(w io.Writer, h Head) (*Writer, error) {
	h.Format = Format
	if err := h.check(); err != nil {
		return nil, err
	}
	created, err := time.Parse(time.RFC3339, h.Created)
	if err != nil {
		return nil, fmt.Errorf("the time of the backup: %w", err)
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	bw := &Writer{gzip: z, tar: tar.NewWriter(z), head: h, time: created, manifest: Manifest{Tables: make(map[string]Sum)}}
	text, err := json.MarshalIndent(h, "", " ")
	if err != nil {
		return nil, err
	}
	return bw, bw.member(headName, append(text, '\n'))
}

func (w *Writer) member(name string, content []byte) error {
	sum := sha256.Sum256(content)
	w.manifest.Members = append(w.manifest.Members, Member{Name: name, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])})
	return w.put(name, content)
}

func (w *Writer) put(name string, content []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o600, ModTime: w.time, Format: tar.FormatPAX}
	if err := w.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.tar.Write(content)
	return err
}

// File adds a file of the data directory, by its path there; files come before all tables.
func (w *Writer) File(name string, content []byte) error {
	if !filePattern.MatchString(name) || len(content) > maxFile {
		return fmt.Errorf("the file %q of %d bytes does not belong into a backup", name, len(content))
	}
	return w.member(filesPrefix+name, content)
}

// Table begins the next table of the head. rows is called to add its rows in the order of its primary key.
func (w *Writer) Table(t Table, rows func(add func(values []any) error) error) error {
	w.table, w.parts = NewAdder(t), 0
	if err := rows(w.row); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	w.manifest.Tables[t.Name] = w.table.Sum()
	return nil
}

func (w *Writer) row(values []any) error {
	if err := w.table.Add(values); err != nil {
		return err
	}
	if w.part = append(w.part, w.table.row...); len(w.part) >= partSize {
		return w.flush()
	}
	return nil
}

func (w *Writer) flush() error {
	if len(w.part) == 0 {
		return nil
	}
	w.parts++
	err := w.member(fmt.Sprintf("%s%s/%06d", tablesPrefix, w.table.table.Name, w.parts), w.part)
	w.part = w.part[:0]
	return err
}

// Close writes the end of the backup and returns its manifest. It does not close the underlying writer.
func (w *Writer) Close() (Manifest, error) {
	for _, t := range w.head.Tables {
		if _, ok := w.manifest.Tables[t.Name]; !ok {
			return Manifest{}, fmt.Errorf("table %s was not written", t.Name)
		}
	}
	text, err := json.MarshalIndent(w.manifest, "", " ")
	if err != nil {
		return Manifest{}, err
	}
	text = append(text, '\n')
	sum := sha256.Sum256(text)
	err = w.put(manifestName, text)
	if err == nil {
		err = w.put(sumName, fmt.Appendf(nil, "%x  %s\n", sum, manifestName))
	}
	return w.manifest, errors.Join(err, w.tar.Close(), w.gzip.Close())
}
