package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/skjold-exchange/skjold/config"
)

// serving is what a running node writes into its lock file, for skjold status.
type serving struct {
	PID    int    `json:"pid"`
	Listen string `json:"listen"`
	TLS    bool   `json:"tls"`
}

// takeLock keeps a second serve off an SQLite data directory. Several processes may serve one PostgreSQL database.
func (d dataDir) takeLock(cfg *config.Config) (unlock func(), err error) {
	if cfg.Database.URL != "" {
		return func() {}, nil
	}
	f, err := os.OpenFile(d.lock(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	ok, err := lockPatiently(f)
	if err == nil && !ok {
		err = fmt.Errorf("another skjold serve is running on %s; stop it first, or use another --data", d)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	// Written in place: the lock belongs to this file, so it must not be replaced.
	text, err := json.Marshal(serving{PID: os.Getpid(), Listen: cfg.Listen, TLS: cfg.TLS.CertFile != ""})
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(text, 0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		_ = f.Truncate(0)
		f.Close()
	}, nil
}

// lockPatiently tries for two seconds: the process before may be on its way out.
func lockPatiently(f *os.File) (bool, error) {
	end := time.After(2 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := lockFile(f)
		if ok || err != nil {
			return ok, err
		}
		select {
		case <-end:
			return false, nil
		case <-tick.C:
		}
	}
}

// running tells whether a serve holds the data directory, and where it listens.
func (d dataDir) running() (serving, bool) {
	f, err := os.OpenFile(d.lock(), os.O_RDWR, 0)
	if err != nil {
		return serving{}, false
	}
	defer f.Close()
	if ok, err := lockFile(f); ok || err != nil {
		return serving{}, false
	}
	var s serving
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil || json.Unmarshal(text, &s) != nil {
		return serving{}, false
	}
	return s, true
}
