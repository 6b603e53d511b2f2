package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/federation"
)

// settled is how long after a change the directory of records is read again.
const settled = 2 * time.Second

// membership is what a running node knows of its federation: the records in its data directory, which commands add to
// while it runs. Records that do not verify keep it from nothing but themselves: the node goes on for its own users.
type membership struct {
	founding federation.Hash
	dir      string
	log      *slog.Logger

	mu     sync.Mutex
	ledger *federation.Ledger // nil until the records could be read
	seen   time.Time          // the directory's time of change when they were read
	read   bool
}

func newMembership(founding string, dir dataDir, log *slog.Logger) *membership {
	m := &membership{founding: federation.Hash(founding), dir: dir.records(), log: log}
	m.refresh()
	return m
}

// current is the ledger; nil if the records can't be read.
func (m *membership) current() *federation.Ledger {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ledger
}

// refresh reads what is new, if the directory has changed since.
func (m *membership) refresh() {
	var changed time.Time
	if info, err := os.Stat(m.dir); err == nil {
		changed = info.ModTime()
	} else if !errors.Is(err, os.ErrNotExist) {
		m.log.Error("the federation's records can't be read", "error", err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.read && changed.Equal(m.seen) {
		return
	}
	// A file that came within the clock's resolution of this look would not show: a young directory is read again.
	m.read, m.seen = time.Since(changed) > settled, changed
	if err := m.take(); err != nil {
		m.log.Error("the federation has records here that do not verify; 'skjold federation records list' names them, and 'records import' brings good ones", "error", err)
	}
}

// take opens the ledger, or reads what is new into it. The caller holds the lock.
func (m *membership) take() error {
	if m.ledger == nil {
		var err error
		m.ledger, err = federation.OpenLedger(m.founding, federation.RecordDir(m.dir))
		return err
	}
	taken, err := m.ledger.Refresh()
	if taken > 0 {
		m.log.Info("the federation has new records", "records", taken)
	}
	return err
}

// run looks for new records every second until ctx ends.
func (m *membership) run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			m.refresh()
		}
	}
}
