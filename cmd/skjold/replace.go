package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// unfinishedBackup is the file that becomes a backup when it is whole. There is one name for all of a directory, so that
// what an interrupted backup left is written over by the next one.
const unfinishedBackup = unfinished + "backup"

// replaceFile writes a file that only its owner can read, so that after a crash it is there whole or is as it was before.
func replaceFile(path string, write func(io.Writer) error) error {
	f, err := createUnfinished(filepath.Join(filepath.Dir(path), unfinishedBackup))
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err = write(w); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()), f.Close())
	}
	return errors.Join(f.Close(), syncDir(filepath.Dir(path)))
}

// createUnfinished opens an empty file for this process alone.
func createUnfinished(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if ok, err := lockFile(f); err != nil || !ok {
			return nil, errors.Join(err, f.Close(), fmt.Errorf("another backup is being written in %s; wait for it or use another directory", filepath.Dir(path)))
		}
		// Whoever had it before may have given it its name in the meantime: then it is a whole backup.
		named, err := os.Stat(path)
		mine, mineErr := f.Stat()
		if mineErr == nil && err == nil && os.SameFile(named, mine) {
			if err := errors.Join(f.Truncate(0), f.Chmod(0o600)); err != nil {
				return nil, errors.Join(err, f.Close())
			}
			return f, nil
		}
		if err := errors.Join(mineErr, f.Close()); err != nil {
			return nil, err
		}
	}
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
