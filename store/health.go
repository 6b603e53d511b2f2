package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/taxii"
)

const (
	// pingEvery is how long an answer to a question about the database's health is good for; anybody may ask.
	pingEvery = time.Second
	// pingPatience is how long the database may take to answer it.
	pingPatience = 2 * time.Second
	// probeWritesEvery is how often a write is tried while writes fail.
	probeWritesEvery = 5 * time.Second
	// A database in which damage was met is examined, with growing pauses.
	firstExamination, longestPause, longestExamination = time.Minute, time.Hour, 30 * time.Minute
)

// wholeRule is what Examine tells of the damage of a database.
const wholeRule = "the database is whole"

// Health is what a store can do now.
type Health struct {
	// Err is why the database does not answer, nil if it does.
	Err error
	// Damaged: damage was met in the database, and no examination has passed since. Run examines it.
	Damaged bool
	// WritesFail: the last write failed because the disk is full or may not be written; reading goes on.
	WritesFail bool
}

// health is what is known of the database from those who used it.
type health struct {
	metrics *metrics

	mu         sync.Mutex // of what follows
	damaged    bool
	writesFail bool

	ping     sync.Mutex // of what follows; held while the database is asked
	pinged   time.Time
	pingSaid error
}

// met notes an error of a transaction, whose it was.
func (h *health) met(err error) {
	damaged, full := errors.Is(err, ErrDamaged), errors.Is(err, errNotWritable)
	if !damaged && !full {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.damaged, h.writesFail = h.damaged || damaged, h.writesFail || full
	h.metrics.health(h.damaged, h.writesFail)
}

// wrote notes a write that is durable.
func (h *health) wrote() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.writesFail {
		h.writesFail = false
		h.metrics.health(h.damaged, false)
	}
}

// whole notes that an examination has passed.
func (h *health) whole() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.damaged = false
	h.metrics.health(false, h.writesFail)
}

func (h *health) now() (damaged, writesFail bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.damaged, h.writesFail
}

// Health tells what the store can do. It asks the database at most once a second, whoever calls it how often, and waits two
// seconds for it at most; what else it tells was met by those who use the store.
func (s *Store) Health(ctx context.Context) Health {
	err := s.pingOnce(ctx)
	var h Health
	h.Err = err
	h.Damaged, h.WritesFail = s.health.now()
	return h
}

func (s *Store) pingOnce(ctx context.Context) error {
	s.health.ping.Lock()
	defer s.health.ping.Unlock()
	now := s.now()
	if age := now.Sub(s.health.pinged); age >= 0 && age < pingEvery {
		return s.health.pingSaid
	}
	// Who asks may go; the answer is for all.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingPatience)
	defer cancel()
	s.health.pingSaid, s.health.pinged = s.Ping(ctx), s.now()
	return s.health.pingSaid
}

// convalesce finds out whether what failed works again, until ctx ends.
func (s *Store) convalesce(ctx context.Context) {
	tick := time.NewTicker(probeWritesEvery)
	defer tick.Stop()
	pause, examined := firstExamination, time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		damaged, writesFail := s.health.now()
		if writesFail {
			_ = s.probeWrites(ctx) // what it meets is noted, and counted
		}
		if !damaged {
			pause, examined = firstExamination, time.Time{}
			continue
		}
		if !examined.IsZero() && time.Since(examined) < pause {
			continue
		}
		if !examined.IsZero() {
			pause = min(2*pause, longestPause)
		}
		if err := s.examineDamage(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("store: the database is damaged; stop the node and restore it from a backup", "error", err, "examined_again_in", pause.String())
		}
		examined = time.Now()
	}
}

// probeWrites makes a small durable write that changes nothing.
func (s *Store) probeWrites(ctx context.Context) error {
	return s.write(ctx, func(c conn) error {
		_, err := c.Exec(`UPDATE counter SET value = value WHERE name = $1`, "entry")
		return err
	})
}

// examineDamage examines the whole database, and notes it where there is no damage (any more).
func (s *Store) examineDamage(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, longestExamination)
	defer cancel()
	var damage error
	err := s.Examine(ctx, VerifyOptions{}, func(f Finding) {
		if f.Rule == wholeRule && damage == nil {
			damage = fmt.Errorf("%w: %s", ErrDamaged, f.Subject)
		}
	})
	if err = errors.Join(err, damage); err != nil {
		return err
	}
	s.health.whole()
	s.log.Info("store: the database was examined and is whole")
	return nil
}

// errNotWritable: the database can be read and not written.
var errNotWritable = errors.New("the database can't be written")

// unwritable is unavailable for what concerns writing alone.
func unwritable(what string, err error) error {
	return fmt.Errorf("%w: %w: %s: %w", taxii.ErrUnavailable, errNotWritable, what, err)
}
