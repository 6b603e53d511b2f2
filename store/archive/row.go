package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

// AppendRow appends a row as it is written: values has an int64, string or []byte for each column, by its kind. Texts are
// made ones that every engine can hold, valid UTF-8 without zero bytes; texts that came as such stay as they are.
func (t Table) AppendRow(b []byte, values []any) ([]byte, error) {
	if len(values) != len(t.Columns) {
		return b, fmt.Errorf("a row of table %s has %d values for %d columns", t.Name, len(values), len(t.Columns))
	}
	for i, c := range t.Columns {
		switch v := values[i].(type) {
		case int64:
			b = binary.AppendVarint(b, v)
		case string:
			v = Printable(v)
			b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
		case []byte:
			b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
		default:
			return b, fmt.Errorf("column %s of table %s has a %T", c.Name, t.Name, v)
		}
	}
	return b, nil
}

// Printable is a text as every engine can hold it: what is no UTF-8, and zero bytes, become U+FFFD.
func Printable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// byteScanner is what rows are read from.
type byteScanner interface {
	io.Reader
	io.ByteReader
}

// ReadRow reads one row. The error is io.EOF where r ends before the row, and matches ErrDamaged where it ends inside it or
// holds something else than a row.
func (t Table) ReadRow(r byteScanner) ([]any, error) {
	values := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		var err error
		if values[i], err = readValue(r, c.Kind); err == nil {
			continue
		}
		if errors.Is(err, io.EOF) && i == 0 {
			return nil, io.EOF
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, damaged("a row of table %s can't be read: %w", t.Name, err)
	}
	return values, nil
}

// readValue reads a value; io.EOF only where nothing of it was read.
func readValue(r byteScanner, k Kind) (any, error) {
	if k == Integer {
		return binary.ReadVarint(r)
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > maxValue {
		return nil, fmt.Errorf("a value of %d bytes", n)
	}
	b, err := readExactly(r, int64(n))
	if err != nil {
		return nil, err
	}
	if k == Text {
		return string(b), nil
	}
	return b, nil
}

// readExactly reads n bytes. What it holds grows with what comes, not with what was announced.
func readExactly(r io.Reader, n int64) ([]byte, error) {
	if n <= 64<<10 {
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); errors.Is(err, io.EOF) && n > 0 {
			return nil, io.ErrUnexpectedEOF
		} else if err != nil {
			return nil, err
		}
		return b, nil
	}
	var b bytes.Buffer
	got, err := io.Copy(&b, io.LimitReader(r, n))
	if err == nil && got < n {
		err = io.ErrUnexpectedEOF
	}
	return b.Bytes(), err
}

// Adder computes the Sum of a table's rows.
type Adder struct {
	table Table
	rows  int64
	hash  hash.Hash
	row   []byte
}

// NewAdder returns an Adder of no rows.
func NewAdder(t Table) *Adder { return &Adder{table: t, hash: sha256.New()} }

// Add adds a row; see Table.AppendRow.
func (a *Adder) Add(values []any) error {
	var err error
	if a.row, err = a.table.AppendRow(a.row[:0], values); err != nil {
		return err
	}
	a.rows++
	a.hash.Write(a.row)
	return nil
}

// Sum is the sum of the rows so far.
func (a *Adder) Sum() Sum { return Sum{Rows: a.rows, SHA256: hex.EncodeToString(a.hash.Sum(nil))} }
