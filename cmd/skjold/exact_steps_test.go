package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix/pattern"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// schedule is the state of one: a node, its publishers and its followers.
type schedule struct {
	*mould
	tally
	rng   *rand.Rand
	world *world
	door  *door

	at        dataDir // moves with every crash
	moves     int
	node      *node
	stop      func() error // ends and closes the node
	account   *taxii.Client
	neighbour *taxii.Client // the peer
	followers []*follower
	clients   map[*follower]*taxii.Client

	mu      sync.Mutex // for what requests of a burst leave
	unsure  []unsure
	pending []accepted
}

// unsure is a request whose answer was lost: a POST or, with an id, a DELETE.
type unsure struct {
	p            publication
	id, modified string
}

// accepted is a submission that was not decided when it was answered.
type accepted struct {
	p      publication
	status taxii.Status
}

// door is the way to the node's handler, as a transport.
type door struct {
	handler http.Handler
	lost    atomic.Bool // answers do not arrive any more
	count   atomic.Int64
}

// errLost: the node worked on a request and the answer did not arrive.
var errLost = errors.New("the answer was lost")

// RoundTrip implements http.RoundTripper.
func (d *door) RoundTrip(r *http.Request) (*http.Response, error) {
	d.count.Add(1)
	in := r.Clone(r.Context())
	in.RequestURI, in.Host, in.RemoteAddr = r.URL.RequestURI(), r.URL.Host, "127.0.0.1:1"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	d.handler.ServeHTTP(recorder, in)
	if d.lost.Load() {
		return nil, errLost
	}
	answer := recorder.Result()
	answer.Request = r
	return answer, nil
}

func (s *schedule) prepare(ctx context.Context) error {
	if err := copyDir(string(s.at), string(s.dir)); err != nil {
		return err
	}
	options := taxii.ClientOptions{URL: s.made.APIRoot, HTTP: &http.Client{Transport: s.door}, Retries: -1, StatusWait: 500 * time.Minute,
		Wait: func(ctx context.Context, d time.Duration) error { return pauseFor(ctx, d/500) }}
	mine := options
	mine.User, mine.Password = s.made.User, s.made.Password
	peers := options
	// A node takes only tokens of a later second than it began in; the peer's clock is ahead, so that nobody has to wait.
	signer := &federation.Signer{Entity: s.peer, Key: s.key, Now: func() time.Time { return time.Now().Add(time.Second) }}
	peers.SignRequest = func(r *http.Request, body []byte) error {
		return signer.SignRequest(r, federation.EntityID(s.made.Entity), body)
	}
	var err error
	if s.account, err = taxii.NewClient(mine); err != nil {
		return err
	}
	if s.neighbour, err = taxii.NewClient(peers); err != nil {
		return err
	}
	s.clients = map[*follower]*taxii.Client{}
	for range 3 {
		s.follow()
	}
	return s.open(ctx)
}

func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// follow adds a follower of some kind, who begins at the beginning.
func (s *schedule) follow() {
	f := &follower{world: s.world, collection: s.made.Collection, rng: rand.New(rand.NewPCG(s.rng.Uint64(), 1)), got: map[versionName]bool{}, byNext: s.rng.IntN(2) == 0}
	if s.rng.IntN(2) == 0 {
		f.match = []string{"all"}
	}
	s.clients[f] = s.account
	who := "account"
	if s.rng.IntN(3) == 0 {
		s.clients[f], who = s.neighbour, "peer"
	}
	f.name = fmt.Sprintf("follower %d (%s, by next %t, match %v)", len(s.followers), who, f.byNext, f.match)
	s.followers = append(s.followers, f)
}

// open starts the node on its directory, and what works in its background.
func (s *schedule) open(ctx context.Context) error {
	cfg, err := config.Load(config.LoadOptions{File: s.at.config(), Env: []string{}})
	if err != nil {
		return err
	}
	cfg.Submissions.SyncObjects = 8
	cfg.Limits.RequestRate = 0
	if s.node, err = openNode(ctx, s.at, cfg, slog.New(slog.NewTextHandler(io.Discard, nil)), nil); err != nil {
		return err
	}
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	node := s.node
	go func() { ended <- node.run(running) }()
	s.stop = func() error {
		cancel()
		return errors.Join(<-ended, node.close())
	}
	s.door.handler = s.node.handler()
	return nil
}

// forget has the node forget that the peer's clock is ahead, or it would take none of its tokens for ten seconds after
// its next start. It is not tokens that are tested here.
func (s *schedule) forget(ctx context.Context) error {
	return s.node.store.SetMeta(ctx, aheadFact, time.Now().UTC().Format(time.RFC3339))
}

// steps are what happens at random.
func (s *schedule) steps(ctx context.Context) error {
	count := 8 + s.rng.IntN(12)
	if s.rng.IntN(20) == 0 {
		count *= 5
	}
	for range count {
		var err error
		switch n := s.rng.IntN(100); {
		case n < 24:
			err = s.publish(ctx, s.world.publication(1+s.rng.IntN(6)))
		case n < 30: // more than are decided at once
			err = s.publish(ctx, s.world.publication(9+s.rng.IntN(20)))
		case n < 36:
			if p, ok := s.world.again(); ok {
				err = s.publish(ctx, p)
			}
		case n < 44:
			err = s.erase(ctx)
		case n < 50:
			err = s.burst(ctx)
		case n < 84:
			err = s.poll(ctx, s.followers[s.rng.IntN(len(s.followers))])
		case n < 87:
			s.follow()
		case n < 91:
			err = s.ask(ctx)
		case n < 93:
			err = s.restart(ctx, nil)
		case n < 94:
			err = s.compact(ctx)
		default:
			err = s.crash(ctx)
		}
		if err == nil && s.rng.IntN(2) == 0 {
			err = s.resolve(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// publish sends a publication and notes what the answer says of it.
func (s *schedule) publish(ctx context.Context, p publication) error {
	var refused *taxii.ResponseError
	status, err := s.account.Submit(ctx, s.made.Collection, p.objects, p.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, errLost), errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests: // too much is pending
		s.unsure = append(s.unsure, unsure{p: p})
		return nil
	case err != nil:
		return fmt.Errorf("publishing %d objects: %w", len(p.objects), err)
	case status.Status == taxii.StatusPending:
		s.pending = append(s.pending, accepted{p, status})
	}
	return s.world.told(p, status)
}

// erase deletes something.
func (s *schedule) erase(ctx context.Context) error {
	if id, modified, ok := s.world.deletion(); ok {
		return s.eraseThis(ctx, id, modified, false)
	}
	return nil
}

func (s *schedule) eraseThis(ctx context.Context, id, modified string, again bool) error {
	var versions []string
	if modified != "" {
		versions = []string{modified}
	}
	err := s.account.Delete(ctx, s.made.Collection, id, versions...)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, errLost):
		s.unsure = append(s.unsure, unsure{id: id, modified: modified})
		return nil
	case errors.Is(err, taxii.ErrNotFound) && (again || strings.HasPrefix(id, "relationship--")): // gone already, or tells of what the deleter does not see
	case err != nil:
		return fmt.Errorf("deleting %s %s: %w", id, modified, err)
	}
	s.deleted.Add(1)
	s.world.gone(id, modified)
	return nil
}

// resolve sends a request again whose answer was lost.
func (s *schedule) resolve(ctx context.Context) error {
	if len(s.unsure) == 0 {
		return nil
	}
	i := s.rng.IntN(len(s.unsure))
	one := s.unsure[i]
	s.unsure = append(s.unsure[:i], s.unsure[i+1:]...)
	if one.id != "" {
		return s.eraseThis(ctx, one.id, one.modified, true)
	}
	return s.publish(ctx, one.p)
}

// resolveAll sends every request again whose answer was lost, and lets everything be decided.
func (s *schedule) resolveAll(ctx context.Context) error {
	for {
		if err := s.await(ctx); err != nil || len(s.unsure) == 0 {
			return err
		}
		if err := s.resolve(ctx); err != nil {
			return err
		}
	}
}

// burst has publishers, a deleter and all followers work at once.
func (s *schedule) burst(ctx context.Context) error {
	var work []func() error
	for range 2 + s.rng.IntN(3) {
		p := s.world.publication(1 + s.rng.IntN(9))
		work = append(work, func() error { return s.publish(ctx, p) })
	}
	if s.rng.IntN(2) == 0 {
		work = append(work, func() error { return s.erase(ctx) })
	}
	if !s.door.lost.Load() {
		for _, f := range s.followers {
			work = append(work, func() error { return s.poll(ctx, f) })
		}
	}
	errs := make([]error, len(work))
	var running sync.WaitGroup
	for i, one := range work {
		running.Go(func() { errs[i] = one() })
	}
	running.Wait()
	return errors.Join(errs...)
}

// poll has a follower read some pages.
func (s *schedule) poll(ctx context.Context, f *follower) error {
	for range 1 + f.rng.IntN(3) {
		more, err := f.step(ctx, s.clients[f])
		if errors.Is(err, errLost) {
			return nil
		}
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// ask reads the status of submissions that were pending.
func (s *schedule) ask(ctx context.Context) error {
	var still []accepted
	for _, a := range s.pending {
		now, err := s.account.Status(ctx, a.status.ID)
		if err == nil {
			err = consistent(now, &a.status)
		}
		if err == nil {
			err = s.world.told(a.p, now)
		}
		if err != nil {
			return fmt.Errorf("the status of a submission: %w", err)
		}
		if now.Status == taxii.StatusPending {
			still = append(still, accepted{a.p, now})
		}
	}
	s.pending = still
	return nil
}

// restart stops the node as its operator does, and starts it again. between, if set, is done while it is down.
func (s *schedule) restart(ctx context.Context, between func() error) error {
	s.restarts.Add(1)
	if err := s.forget(ctx); err != nil {
		return err
	}
	stop := s.stop
	s.stop = nil
	if err := stop(); err != nil {
		return err
	}
	if between != nil {
		if err := between(); err != nil {
			return err
		}
	}
	return s.open(ctx)
}

// crash loses the answers of some requests, and goes on with the database as it may be then.
func (s *schedule) crash(ctx context.Context) error {
	s.crashes.Add(1)
	if err := s.forget(ctx); err != nil {
		return err
	}
	durable, err := size(s.wal())
	if err != nil {
		return err
	}
	s.door.lost.Store(true)
	for range s.rng.IntN(5) / 2 {
		if err := s.burst(ctx); err != nil {
			return err
		}
	}
	s.moves++
	to := dataDir(strings.TrimSuffix(string(s.at), strconv.Itoa(s.moves-1)) + strconv.Itoa(s.moves))
	if err := copyDir(string(to), string(s.at)); err != nil {
		return err
	}
	stop, old := s.stop, s.at
	s.stop, s.at = nil, to
	written, err := size(s.wal())
	if err != nil {
		return err
	}
	if written > durable { // what was written after the last answer may have reached the disk in part
		if err := os.Truncate(s.wal(), durable+s.rng.Int64N(written-durable+1)); err != nil {
			return err
		}
	}
	if err := errors.Join(stop(), os.RemoveAll(string(old))); err != nil {
		return err
	}
	s.door.lost.Store(false)
	return s.open(ctx)
}

// compact lets the collection's rules have their way two hours later. What goes is superseded.
func (s *schedule) compact(ctx context.Context) error {
	if err := s.resolveAll(ctx); err != nil { // what is sent again afterwards would bring back what went
		return err
	}
	s.compactions.Add(1)
	last := &follower{name: "last versions", world: s.world, collection: s.made.Collection, rng: s.rng, got: map[versionName]bool{}}
	if err := last.drain(ctx, s.account); err != nil {
		return err
	}
	return s.restart(ctx, func() error {
		st, err := store.Open(ctx, store.Options{Dir: string(s.at), PatternValues: pattern.Values, Now: func() time.Time { return time.Now().Add(2 * time.Hour) }})
		if err != nil {
			return err
		}
		before, err := everything(ctx, st, s.made.Collection)
		if err == nil {
			_, err = st.Compact(ctx, store.CompactOptions{})
		}
		after := before
		if err == nil {
			after, err = everything(ctx, st, s.made.Collection)
		}
		for name := range before {
			if _, kept := after[name]; kept {
				continue
			}
			if last.got[name] {
				err = errors.Join(err, fmt.Errorf("%s went, though it was the last version", name))
			}
			s.world.retired(name)
		}
		return errors.Join(err, st.Close())
	})
}

// await waits until nothing is pending.
func (s *schedule) await(ctx context.Context) error {
	for len(s.pending) > 0 {
		if _, err := s.account.Await(ctx, s.pending[0].status, nil); err != nil {
			return err
		}
		if err := s.ask(ctx); err != nil {
			return err
		}
	}
	return nil
}

// finish sends what was lost again, lets everything be decided, and compares everybody's view.
func (s *schedule) finish(ctx context.Context) error {
	if err := s.resolveAll(ctx); err != nil {
		return err
	}
	for _, f := range s.followers {
		if err := f.settle(ctx, s.clients[f]); err != nil {
			return err
		}
	}
	findings, err := s.node.store.Verify(ctx)
	if err != nil || len(findings) > 0 {
		return fmt.Errorf("verify: %v, %w", findings, err)
	}
	held, err := everything(ctx, s.node.store, s.made.Collection)
	if err != nil {
		return err
	}
	s.objects.Add(int64(len(held)))
	s.requests.Add(s.door.count.Load())
	if wrong := s.world.check(held); len(wrong) > 0 {
		return errors.New(strings.Join(wrong[:min(len(wrong), 5)], "; "))
	}
	return nil
}

func (s *schedule) wal() string { return filepath.Join(string(s.at), "skjold.db-wal") }

// size is that of a file, 0 where there is none.
func size(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// copyDir copies a data directory as it is at this moment. Of the database, the file comes before the log that is added
// to it; the index of the log is made anew when the copy is opened.
func copyDir(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.Mkdir(filepath.Join(to, rel), 0o700)
		case strings.HasSuffix(rel, "-shm"):
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), raw, 0o600)
	})
}

// everything reads what a store holds in a collection, whoever may see it.
func everything(ctx context.Context, st taxii.Store, collection string) (map[versionName]string, error) {
	held := map[versionName]string{}
	q := taxii.Query{Collection: collection, Limit: 2000, Version: taxii.VersionMatch{All: true}, Bytes: true}
	for {
		page, err := st.Entries(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			name, err := readName(e.Raw)
			if err != nil {
				return nil, err
			}
			if _, twice := held[name]; twice {
				return nil, fmt.Errorf("%s is held twice", name)
			}
			if e.DateAdded <= q.After {
				return nil, fmt.Errorf("%s has the date %s, after %s", name, e.DateAdded, q.After)
			}
			held[name], q.After = string(e.Raw), e.DateAdded
		}
		if !page.More {
			return held, nil
		}
	}
}
