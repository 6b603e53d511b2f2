package archive_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/store/archive"
)

var testHead = archive.Head{
	Format: archive.Format, Program: "test", Node: "https://node.example x", Created: "2026-01-02T03:04:05Z", Schema: 3,
	Tables: []archive.Table{
		{Name: "empty", Columns: []archive.Column{{Name: "a", Kind: archive.Integer}}},
		{Name: "entry", Columns: []archive.Column{{Name: "seq", Kind: archive.Integer}, {Name: "object", Kind: archive.Text}, {Name: "raw", Kind: archive.Bytes}}},
	},
}

// write makes a backup of rows of the second table.
func write(t testing.TB, rows [][]any, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, testHead)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := w.File(name, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	for i, table := range testHead.Tables {
		err := w.Table(table, func(add func([]any) error) error {
			for _, row := range rows {
				if i == 0 {
					break
				}
				if err := add(row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func someRows(n, size int) [][]any {
	random := rand.New(rand.NewPCG(1, 2))
	rows := make([][]any, n)
	for i := range rows {
		raw := make([]byte, random.IntN(size))
		for k := range raw {
			raw[k] = byte(random.Uint32())
		}
		rows[i] = []any{int64(i), strings.Repeat("æ", random.IntN(9)), raw}
	}
	rows[0][0], rows[n-1][0] = int64(math.MinInt64), int64(math.MaxInt64)
	return rows
}

func TestRoundTrip(t *testing.T) {
	rows := someRows(300, 100_000) // more than one part
	backup := write(t, rows, map[string]string{"keys/federation.jwk": "secret"})
	var got [][]any
	files := map[string]string{}
	read, err := archive.Read(bytes.NewReader(backup), archive.Sink{
		File: func(name string, content []byte) error { files[name] = string(content); return nil },
		Row:  func(_ archive.Table, values []any) error { got = append(got, values); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(rows, got) { // large: a list of differences would take minutes
		t.Error("the rows came back changed")
	}
	if diff := cmp.Diff(testHead, read.Head); diff != "" || files["keys/federation.jwk"] != "secret" {
		t.Errorf("files %v, head (-want +got):\n%s", files, diff)
	}
	if len(read.Manifest.Members) < 4 || read.Manifest.Tables["entry"].Rows != 300 || read.Manifest.Tables["empty"].Rows != 0 {
		t.Errorf("manifest %+v", read.Manifest.Tables)
	}
}

// TestCutShort refuses every beginning of a backup that is not all of it.
func TestCutShort(t *testing.T) {
	backup := write(t, someRows(20, 50), nil)
	for n := range backup {
		if _, err := archive.Read(bytes.NewReader(backup[:n]), archive.Sink{}); !errors.Is(err, archive.ErrDamaged) {
			t.Fatalf("the first %d of %d bytes: %v, want ErrDamaged", n, len(backup), err)
		}
	}
}

// TestChangedByte refuses a backup of which any byte is another one, unless it says the same: compressed data have a few
// bits without meaning.
func TestChangedByte(t *testing.T) {
	backup := write(t, someRows(5, 50), nil)
	want := unpacked(t, backup)
	refused := 0
	for n := range backup {
		changed := bytes.Clone(backup)
		changed[n] ^= 0x10
		if _, err := archive.Read(bytes.NewReader(changed), archive.Sink{}); err != nil {
			refused++
		} else if !bytes.Equal(unpacked(t, changed), want) {
			t.Errorf("byte %d of %d was changed, and nobody noticed", n, len(backup))
		}
	}
	if refused < len(backup)*9/10 {
		t.Errorf("%d of %d changes were refused", refused, len(backup))
	}
}

func unpacked(t *testing.T, backup []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(backup))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestRefused(t *testing.T) {
	later := testHead
	later.Format = archive.Format + 1
	for name, tt := range map[string]struct {
		head func(h archive.Head) archive.Head
		want error
	}{
		"no table":    {func(h archive.Head) archive.Head { h.Tables = nil; return h }, archive.ErrDamaged},
		"table twice": {func(h archive.Head) archive.Head { h.Tables = append(h.Tables, h.Tables[0]); return h }, archive.ErrDamaged},
		"a hostile name": {func(h archive.Head) archive.Head {
			h.Tables = []archive.Table{{Name: `x"; DROP TABLE entry`, Columns: h.Tables[0].Columns}}
			return h
		}, archive.ErrDamaged},
		"a kind that is none": {func(h archive.Head) archive.Head {
			h.Tables = []archive.Table{{Name: "x", Columns: []archive.Column{{Name: "a", Kind: "float"}}}}
			return h
		}, archive.ErrDamaged},
	} {
		if _, err := archive.NewWriter(io.Discard, tt.head(testHead)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if _, err := archive.Read(strings.NewReader("this is no backup"), archive.Sink{}); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("a text: %v", err)
	}
	w, err := archive.NewWriter(io.Discard, testHead)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../x", "/etc/passwd", "a/b/c", "A", ""} {
		if err := w.File(name, nil); err == nil {
			t.Errorf("the file %q was taken", name)
		}
	}
	if _, err := w.Close(); err == nil {
		t.Error("a backup without its tables was closed")
	}
}

// TestTexts holds that a text that not every engine can hold is written as one that all can.
func TestTexts(t *testing.T) {
	var got []any
	_, err := archive.Read(bytes.NewReader(write(t, [][]any{{int64(1), "a\x00b\xffc", []byte("\x00\xff")}}, nil)),
		archive.Sink{Row: func(_ archive.Table, values []any) error { got = values; return nil }})
	if diff := cmp.Diff([]any{int64(1), "a\uFFFDb\uFFFDc", []byte("\x00\xff")}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// FuzzRow reads rows of anything: it never fails in another way than by an error, and what it reads is written as it was.
func FuzzRow(f *testing.F) {
	table := testHead.Tables[1]
	row, err := table.AppendRow(nil, []any{int64(-5), "text", []byte{1, 2}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(row)
	f.Add(row[:4])
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := table.ReadRow(bufio.NewReader(bytes.NewReader(data)))
		if err != nil {
			if !errors.Is(err, archive.ErrDamaged) && !errors.Is(err, io.EOF) {
				t.Errorf("%q: %v", data, err)
			}
			return
		}
		again, err := table.AppendRow(nil, values)
		if err != nil {
			t.Fatal(err)
		}
		back, err := table.ReadRow(bufio.NewReader(bytes.NewReader(again)))
		if err != nil {
			t.Fatal(err)
		}
		values[1] = archive.Printable(values[1].(string))
		if diff := cmp.Diff(values, back); diff != "" {
			t.Errorf("(-read +read again):\n%s", diff)
		}
	})
}

// FuzzRead reads anything as a backup.
func FuzzRead(f *testing.F) {
	f.Add(write(f, someRows(3, 20), map[string]string{"skjold.yaml": "listen: x"}))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := archive.Read(bytes.NewReader(data), archive.Sink{})
		if err == nil && len(b.Manifest.Members) == 0 {
			t.Error("a backup without members was taken for whole")
		}
	})
}
