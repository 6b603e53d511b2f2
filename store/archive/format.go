package archive

import (
	"errors"
	"fmt"
	"regexp"
)

// Format is the version of the format that this package writes, and the latest that it reads.
const Format = 1

// Names of the members of a backup.
const (
	headName     = "skjold-backup.json"
	filesPrefix  = "files/"
	tablesPrefix = "tables/"
	manifestName = "manifest.json"
	sumName      = "manifest.json.sha256"
)

// Bounds of what Read takes.
const (
	maxHead     = 1 << 20   // bytes of the head
	maxManifest = 256 << 20 // bytes of the manifest: a member of some 8 MiB has a line of 150 bytes in it
	maxFile     = 1 << 20   // bytes of a file of the data directory
	maxValue    = 1 << 30   // bytes of a text or bytes: the largest object that a node can be told to accept
	maxTables   = 1000
	maxColumns  = 1000
)

var (
	// ErrDamaged: the file is no backup, is cut short, or differs from its checksums.
	ErrDamaged = errors.New("the backup can't be used")
	// ErrNewerFormat: the backup was written by a later version of the program, in a format that this one does not read.
	ErrNewerFormat = errors.New("the backup was written by a newer skjold; restore it with that version or a later one")
)

func damaged(format string, a ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, a...))
}

// Kind is the type of a column.
type Kind string

// The kinds.
const (
	Integer Kind = "integer" // int64
	Text    Kind = "text"    // string
	Bytes   Kind = "bytes"   // []byte
)

// Column is a column of a table.
type Column struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
}

// Table is the shape of a table.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
}

// Head tells what a backup is of.
type Head struct {
	Format  int    `json:"format"`
	Program string `json:"program"` // the version of the program that wrote it
	Node    string `json:"node"`    // whose it is: the entity and the thumbprint of its federation key; "" for nobody's yet
	Created string `json:"created"` // RFC 3339, when the state was as it is in the backup
	Schema  int    `json:"schema"`  // the number of the last migration
	// Tables in the order in which they can be filled: none refers to a later one.
	Tables []Table `json:"tables"`
}

// Member is a member of the tar file.
type Member struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// Sum tells what a table's rows are.
type Sum struct {
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"` // of all its rows, as they are written
}

// Manifest tells what a whole backup has in it.
type Manifest struct {
	Members []Member       `json:"members"`
	Tables  map[string]Sum `json:"tables"`
}

var (
	namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	filePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}(/[a-z0-9][a-z0-9._-]{0,62})?$`)
)

// check refuses heads that no version of the program writes.
func (h Head) check() error {
	switch {
	case h.Format > Format:
		return fmt.Errorf("%w (its format is version %d, this program knows %d)", ErrNewerFormat, h.Format, Format)
	case h.Format < 1 || h.Schema < 1:
		return damaged("its head names format %d and schema %d", h.Format, h.Schema)
	case len(h.Tables) == 0 || len(h.Tables) > maxTables:
		return damaged("its head names %d tables", len(h.Tables))
	}
	seen := make(map[string]bool)
	for _, t := range h.Tables {
		if !namePattern.MatchString(t.Name) || seen[t.Name] || len(t.Columns) == 0 || len(t.Columns) > maxColumns {
			return damaged("its head has the table %q twice, or with %d columns", t.Name, len(t.Columns))
		}
		seen[t.Name] = true
		for _, c := range t.Columns {
			if !namePattern.MatchString(c.Name) || c.Kind != Integer && c.Kind != Text && c.Kind != Bytes {
				return damaged("its head has a column %q of kind %q in table %s", c.Name, c.Kind, t.Name)
			}
		}
	}
	return nil
}
