package store

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// processLife is how long a process counts as running after it was heard of: as long as its duties rest if it is killed,
	// and beatEvery more.
	processLife = 6 * time.Second
	// beatEvery is how often a process lets itself be heard of.
	beatEvery = time.Second
	// beatPatience is how long the database may take to note it.
	beatPatience = 2 * time.Second
)

// Process is one of those that serve a node together.
type Process struct {
	// Name is the machine's name and the process's number on it.
	Name string
	// Started is when it began to serve; Expires is when it counts as gone unless it is heard of again. Both are by the
	// database's clock.
	Started, Expires time.Time
	// Duties are what it does for all of them.
	Duties []string
}

// roster is what a process knows of the duties of a node that several serve. The zero value is that of one that serves it
// alone.
type roster struct {
	shared bool // others may serve the node too
	name   string
	life   time.Duration // processLife, shorter in tests

	mu       sync.Mutex // of what follows; held while the database is asked
	resigned bool
	wanted   map[string][]string // by who wants them: duties that this process would take
	mine     map[string]bool     // the duties that it has
	others   map[string]bool     // those that other processes have
	beaten   time.Time           // when the database was asked last
	until    time.Time           // how long what it said is good for, by this process's clock
}

func newRoster(shared bool) roster {
	host, err := os.Hostname()
	if err != nil {
		host = "unnamed"
	}
	return roster{shared: shared, name: fmt.Sprintf("%s:%d", host, os.Getpid()), life: processLife, wanted: make(map[string][]string)}
}

// Hold returns those of the duties that are this process's: of all processes that serve the node, one at a time has a duty.
// Who asks for them by the same name says with each call which duties it would take now; it asks again every second or two,
// and stops doing what is not returned any more. A process that is killed loses its duties to those that ask for them
// within some seven seconds, one that stops in order gives them up at once.
//
// The duties are a matter of economy: a process that was halted for a while goes on for a moment before it learns that they
// are another's now. What two processes must not both do is kept apart by the transaction that does it.
//
// While the database does not answer, a process keeps its duties as long as the others wait for it; then the error is
// returned. On an embedded database, which one process serves, it returns all of them.
func (s *Store) Hold(ctx context.Context, by string, duties []string) ([]string, error) {
	r := &s.roster
	if !r.shared {
		return duties, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.resigned {
		return nil, nil
	}
	r.wanted[by] = slices.Clone(duties)
	known := func(duty string) bool { return r.mine[duty] || r.others[duty] }
	if now := time.Now(); now.Sub(r.beaten) >= beatEvery || !now.Before(r.until) || slices.ContainsFunc(duties, func(d string) bool { return !known(d) }) {
		if err := s.beat(ctx); err != nil && !time.Now().Before(r.until) {
			r.mine, r.others = nil, nil
			return nil, err
		}
	}
	var held []string
	for _, duty := range duties {
		if r.mine[duty] {
			held = append(held, duty)
		}
	}
	return held, nil
}

// holds tells whether one duty of the store itself is this process's; not where that can't be told now.
func (s *Store) holds(ctx context.Context, duty string) bool {
	held, err := s.Hold(ctx, duty, []string{duty})
	if err != nil && ctx.Err() == nil {
		s.log.Warn("store: what is to be done by one process rests, because it can't be told whether it is this one", "what", duty, "error", err)
	}
	return len(held) > 0
}

// beat lets this process be heard of, takes what it wants of what nobody has, and gives up what it does not want any more.
// The caller holds the lock.
func (s *Store) beat(ctx context.Context) error {
	r := &s.roster
	ctx, cancel := context.WithTimeout(ctx, beatPatience)
	defer cancel()
	asked := time.Now() // before the database's own clock was read
	r.beaten = asked
	wanted := make(map[string]bool)
	for _, duties := range r.wanted {
		for _, duty := range duties {
			wanted[duty] = true
		}
	}
	var mine, others map[string]bool
	err := s.engine.Aside(ctx, func(c conn) (err error) {
		mine, others, err = s.attend(c, wanted)
		return err
	})
	if err != nil {
		return err
	}
	for duty := range mine {
		if !r.mine[duty] {
			s.log.Debug("store: this process takes on", "duty", duty)
		}
	}
	r.mine, r.others, r.until = mine, others, asked.Add(r.life)
	return nil
}

// attend is beat's part in the database.
func (s *Store) attend(c conn, wanted map[string]bool) (mine, others map[string]bool, err error) {
	mine, others = make(map[string]bool), make(map[string]bool)
	now, err := s.rollCall(c)
	if err != nil {
		return nil, nil, err
	}
	_, err = c.Exec(`INSERT INTO process (instance, name, started, expires) VALUES ($1, $2, $3, $4) ON CONFLICT (instance) DO UPDATE SET expires = excluded.expires`,
		s.instance, s.roster.name, now, now+s.roster.life.Microseconds())
	if err != nil {
		return nil, nil, err
	}
	var left [][]any // to nobody
	err = c.Query(`SELECT name, owner FROM duty`, nil, func(r row) error {
		switch duty := r.Text(0); {
		case r.Text(1) != s.instance:
			others[duty] = true
		case wanted[duty]:
			mine[duty] = true
		default:
			left = append(left, []any{duty})
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	var taken [][]any
	for duty := range wanted {
		if !mine[duty] && !others[duty] {
			mine[duty] = true
			taken = append(taken, []any{duty, s.instance, now})
		}
	}
	if err := c.ExecMany(`DELETE FROM duty WHERE name = $1`, left); err != nil {
		return nil, nil, err
	}
	return mine, others, c.ExecMany(`INSERT INTO duty (name, owner, since) VALUES ($1, $2, $3)`, taken)
}

// rollCall strikes off the processes that are gone, with their duties, and returns the time by the database's clock. Until
// the transaction ends no other process does the same: they take turns at a row.
func (s *Store) rollCall(c conn) (now int64, err error) {
	if _, err := c.Exec(`UPDATE counter SET value = value + 1 WHERE name = 'duty'`); err != nil {
		return 0, err
	}
	if now, err = s.engine.Clock(c); err != nil {
		return 0, err
	}
	if _, err := c.Exec(`DELETE FROM process WHERE expires <= $1`, now); err != nil {
		return 0, err
	}
	_, err = c.Exec(`DELETE FROM duty WHERE owner NOT IN (SELECT instance FROM process)`)
	return now, err
}

// attendance lets this process be heard of until ctx ends.
func (s *Store) attendance(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	failing := false
	for {
		_, err := s.Hold(ctx, "attendance", nil)
		if ctx.Err() == nil && (err != nil) != failing {
			if failing = err != nil; failing {
				s.log.Warn("store: the database does not answer, so that this process is not heard of; others may do its work for all", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// resign gives up this process's duties, so that others need not wait for them.
func (s *Store) resign() {
	r := &s.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resigned, r.mine = true, nil
	if r.beaten.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), beatPatience)
	defer cancel()
	err := s.engine.Aside(ctx, func(c conn) error {
		if _, err := s.rollCall(c); err != nil {
			return err
		}
		if _, err := c.Exec(`DELETE FROM duty WHERE owner = $1`, s.instance); err != nil {
			return err
		}
		_, err := c.Exec(`DELETE FROM process WHERE instance = $1`, s.instance)
		return err
	})
	if err != nil {
		s.log.Warn("store: this process could not say that it stops; others do its work for all in some seconds", "error", err)
	}
}

// Processes are those that serve the node now, in the order in which they started, with the duties of each. There are none
// on an embedded database: it has a lock instead.
func (s *Store) Processes(ctx context.Context) ([]Process, error) {
	var all []Process
	err := s.read(ctx, func(c conn) error {
		all = nil
		now, err := s.engine.Clock(c)
		if err != nil {
			return err
		}
		last := ""
		return c.Query(`SELECT p.instance, p.name, p.started, p.expires, COALESCE(d.name, '') FROM process p LEFT JOIN duty d ON d.owner = p.instance
			WHERE p.expires > $1 ORDER BY p.started, p.instance, d.name`, []any{now}, func(r row) error {
			if instance := r.Text(0); instance != last || len(all) == 0 {
				last = instance
				all = append(all, Process{Name: r.Text(1), Started: timeOf(r.Int(2)), Expires: timeOf(r.Int(3))})
			}
			if duty := r.Text(4); duty != "" {
				p := &all[len(all)-1]
				p.Duties = append(p.Duties, duty)
			}
			return nil
		})
	})
	return all, err
}
