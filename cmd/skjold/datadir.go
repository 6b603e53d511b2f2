package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix/pattern"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// dataDir is a node's data directory. Its configuration file is written last by init: a directory that has one is a
// whole node.
type dataDir string

func (d dataDir) config() string { return filepath.Join(string(d), "skjold.yaml") }
func (d dataDir) keys() string   { return filepath.Join(string(d), "keys") }
func (d dataDir) records() string {
	return filepath.Join(string(d), "federation", "records")
}
func (d dataDir) lock() string { return filepath.Join(string(d), "skjold.lock") }

// ours are the names that a data directory may hold before it is a node: what an interrupted init leaves.
var ours = []string{"keys", "skjold.db", "skjold.db-wal", "skjold.db-shm", "skjold.db-journal", "skjold.lock", "federation", "lost+found"}

// unfinished begins the names of files that are renamed when they are whole.
const unfinished = ".skjold-"

// initialised tells whether the directory is a node. It is an error if it is something else than a node or empty.
func (d dataDir) initialised() (bool, error) {
	if _, err := os.Stat(d.config()); err == nil {
		return true, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	for _, e := range entries {
		if !slices.Contains(ours, e.Name()) && !strings.HasPrefix(e.Name(), unfinished) {
			return false, fmt.Errorf("%s holds other files (%s) and is no node; name an empty or new directory with --data", d, e.Name())
		}
	}
	return false, nil
}

// require fails with what to do when the directory is no node yet.
func (d dataDir) require() error {
	ok, err := d.initialised()
	if err == nil && !ok {
		err = fmt.Errorf("there is no node in %s; make one with 'skjold init --data %s', or name another directory with --data", d, d)
	}
	return err
}

// openStore opens the store that a configuration names.
func openStore(ctx context.Context, d dataDir, cfg *config.Config) (*store.Store, error) {
	return store.Open(ctx, store.Options{Dir: string(d), URL: string(cfg.Database.URL), PatternValues: pattern.Values})
}

// openNodeStore opens the store of an initialised node. A database that is gone is not made anew: an empty node in the
// place of a full one would be the worst of answers.
func openNodeStore(ctx context.Context, d dataDir, cfg *config.Config) (*store.Store, error) {
	if err := d.requireDatabase(cfg); err != nil {
		return nil, err
	}
	st, err := openStore(ctx, d, cfg)
	if err != nil {
		return nil, err
	}
	keys, err := federation.LoadKeys(d.keys())
	if err == nil {
		err = checkOwner(ctx, st, nodeName(cfg.Entity, keys))
	}
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

func (d dataDir) requireDatabase(cfg *config.Config) error {
	if cfg.Database.URL != "" {
		return nil
	}
	info, err := os.Stat(filepath.Join(string(d), "skjold.db"))
	if err == nil && info.Size() > 0 {
		return nil
	}
	return fmt.Errorf("the database %s is missing or empty, though this directory is a node; restore it from the backup, or make a new node in another directory",
		filepath.Join(string(d), "skjold.db"))
}

// withStore runs a command on the store of the node in --data. A node that is running sees the change by itself.
func (a *app) withStore(ctx context.Context, f func(context.Context, *store.Store) error) error {
	d := dataDir(a.data)
	cfg, err := a.loadConfig(d, nil)
	if err != nil {
		return err
	}
	st, err := openNodeStore(ctx, d, cfg)
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, st), st.Close())
}

func isNotFound(err error) bool { return errors.Is(err, taxii.ErrNotFound) }
