package federation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// RecordDir keeps records as files of a directory, each named by its hash. Files that are named otherwise are passed
// over.
type RecordDir string

// Records reads all records. A file that was changed has another hash than its name, which OpenLedger finds.
func (d RecordDir) Records() (map[Hash][]byte, error) {
	files, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	records := make(map[Hash][]byte)
	for _, f := range files {
		hash, err := ParseHash(f.Name())
		if err != nil || !f.Type().IsRegular() {
			continue
		}
		if len(records) >= maxRecords {
			return nil, fmt.Errorf("%s has more than %d records", d, maxRecords)
		}
		if records[hash], err = os.ReadFile(filepath.Join(string(d), f.Name())); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// Put writes a record to a file that gets its name when it is whole, and is durable on return.
func (d RecordDir) Put(hash Hash, record []byte) error {
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(string(d), ".record-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(record)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keep the record %s: %w", hash, err)
	}
	if err := os.Rename(f.Name(), filepath.Join(string(d), string(hash))); err != nil {
		return err
	}
	dir, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
