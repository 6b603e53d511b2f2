package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
)

// databaseFile is the embedded database in a data directory.
const databaseFile = "skjold.db"

// restoration is the way of a backup into a data directory: everything is made in a directory inside it, and takes its place
// by renaming, skjold.yaml last.
type restoration struct {
	dir   dataDir
	files map[string][]byte // of the backup: keys and configuration, or none
	owner string            // whose the backup is
	force bool

	cfg    *config.Config
	stage  dataDir
	unlock func() // of the directory
}

// prepare finds out whether the backup may go into the directory, and changes nothing there.
func (r *restoration) prepare() error {
	configured, err := r.dir.initialised()
	if err != nil {
		return err
	}
	if !configured && r.files["skjold.yaml"] == nil {
		return fmt.Errorf("%s has no skjold.yaml, and the backup holds none, as it was made without --with-keys; put the node's skjold.yaml and keys directory there first", r.dir)
	}
	if err := os.MkdirAll(string(r.dir), 0o700); err != nil {
		return err
	}
	// The lock is taken whatever the database: a second restore into the directory would use the same stage.
	unlock, err := r.dir.takeLock(config.Default())
	if err != nil {
		return err
	}
	r.unlock = unlock
	r.stage = dataDir(filepath.Join(string(r.dir), unfinished+"restore"))
	if err := r.writeStage(); err != nil {
		return err
	}
	from := r.dir
	if !configured {
		from = r.stage
	}
	if r.cfg, err = config.Load(config.LoadOptions{File: from.config(), Env: os.Environ()}); err != nil {
		return err
	}
	if err := r.checkKeys(); err != nil {
		return err
	}
	if r.cfg.Database.URL != "" {
		return nil
	}
	if err := r.dropSecondNames(); err != nil {
		return err
	}
	info, err := os.Stat(r.database())
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0:
		return nil
	case err != nil:
		return err
	case !r.force:
		return fmt.Errorf("%s holds a database already; restore into an empty directory, or say --force to replace it", r.dir)
	}
	if err := store.Settle(string(r.dir)); errors.Is(err, store.ErrDamaged) {
		return fmt.Errorf("the database in %s can't be read, so it can't be set aside as one file; move skjold.db, skjold.db-wal and skjold.db-shm somewhere else, and restore again: %w", r.dir, err)
	} else if err != nil {
		return err
	}
	return nil
}

func (r *restoration) database() string { return filepath.Join(string(r.dir), databaseFile) }

// databaseDir is where an embedded database is made.
func (r *restoration) databaseDir() string { return string(r.stage) }

// writeStage makes the stage anew, with the files of the backup.
func (r *restoration) writeStage() error {
	if err := r.clean(); err != nil {
		return err
	}
	if err := os.MkdirAll(r.stage.keys(), 0o700); err != nil {
		return err
	}
	for name, content := range r.files {
		path := filepath.Join(string(r.stage), filepath.FromSlash(name))
		var err error
		switch {
		case isRecordsFile(name):
			err = unpackRecords(content, federation.RecordDir(r.stage.records()))
		case filepath.Dir(path) == r.stage.keys() || path == r.stage.config():
			err = writeFileDurably(path, content, 0o600)
		default: // of a later version; this one knows no other files
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkKeys makes sure that the backup is of the node whose keys and entity there are.
func (r *restoration) checkKeys() error {
	keys, err := federation.LoadKeys(r.dir.keys())
	if errors.Is(err, fs.ErrNotExist) {
		if keys, err = federation.LoadKeys(r.stage.keys()); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is missing, and the backup holds no keys, as it was made without --with-keys; put the node's keys there first", r.dir.keys())
		}
	}
	if err != nil {
		return err
	}
	if me := nodeName(r.cfg.Entity, keys); r.owner != "" && r.owner != me {
		return fmt.Errorf("the backup is of the node %s, and %s is the node %s", r.owner, r.dir, me)
	}
	return nil
}

// install gives what was made its place, and returns the file that the database from before is in, "" for none. Each step
// leaves a node that is whole, the old one or the new one; before the last there may be none, in a directory that had none.
func (r *restoration) install(now time.Time) (replaced string, err error) {
	if err := os.MkdirAll(r.dir.keys(), 0o700); err != nil {
		return "", err
	}
	if err := addFiles(r.stage.keys(), r.dir.keys()); err != nil {
		return "", err
	}
	if err := addFiles(r.stage.records(), r.dir.records()); err != nil {
		return "", err
	}
	if r.cfg.Database.URL == "" {
		if replaced, err = r.setAside(now); err != nil {
			return "", err
		}
		if err := os.Rename(filepath.Join(string(r.stage), databaseFile), r.database()); err != nil {
			return "", err
		}
		if err := syncDir(string(r.dir)); err != nil {
			return "", err
		}
	}
	if _, err := os.Stat(r.dir.config()); errors.Is(err, fs.ErrNotExist) {
		if err := os.Rename(r.stage.config(), r.dir.config()); err != nil {
			return "", err
		}
	}
	if err := os.Chmod(string(r.dir), 0o700); err != nil {
		return "", err
	}
	return replaced, errors.Join(syncDir(string(r.dir)), r.clean())
}

// addFiles gives the files of one directory their place in another, never over one that is there: neither a key nor a
// record is ever replaced.
func addFiles(from, to string) error {
	staged, err := os.ReadDir(from)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(staged) == 0 {
		return nil
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, file := range staged {
		err := os.Link(filepath.Join(from, file.Name()), filepath.Join(to, file.Name()))
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncDir(to)
}

// setAside gives the database that is there a second name, so that it stays when the new one takes the first; "" where there
// is none.
func (r *restoration) setAside(now time.Time) (string, error) {
	if info, err := os.Stat(r.database()); err != nil || info.Size() == 0 {
		return "", nil
	}
	name := r.database() + ".before-" + now.UTC().Format("20060102T150405Z")
	for n := 2; ; n++ {
		err := os.Link(r.database(), name)
		if !errors.Is(err, fs.ErrExist) {
			return name, err
		}
		name = fmt.Sprintf("%s.before-%s-%d", r.database(), now.UTC().Format("20060102T150405Z"), n)
	}
}

// dropSecondNames removes second names of the database that is in use, which an interrupted restore may have left: SQLite
// must not find one file under two names.
func (r *restoration) dropSecondNames() error {
	current, err := os.Stat(r.database())
	if err != nil {
		return nil // there is none
	}
	names, err := filepath.Glob(r.database() + ".before-*")
	if err != nil {
		return err
	}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && os.SameFile(info, current) {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// clean removes the stage.
func (r *restoration) clean() error {
	if r.stage == "" {
		return nil
	}
	return os.RemoveAll(string(r.stage))
}
