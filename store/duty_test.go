package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hubProcess opens a store of a database that others use too. What it is heard of counts for life.
func hubProcess(t *testing.T, url, name string, life time.Duration) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	s.roster.name, s.roster.life = name, life
	t.Cleanup(func() { s.Close() })
	return s
}

func dutiesOf(t *testing.T, s *Store, duties ...string) []string {
	t.Helper()
	list, err := s.Hold(t.Context(), "test", duties)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// askAgain makes the next Hold ask the database, as it does after a second.
func (s *Store) askAgain() {
	s.roster.mu.Lock()
	defer s.roster.mu.Unlock()
	s.roster.beaten = time.Now().Add(-beatEvery)
}

// TestDuties holds that a duty is one process's at a time, that it stays there while the process is heard of, that another
// gets it when it is given up, when the process resigns and when it is not heard of any more, and that a process that
// comes back does not think that it still has it.
func TestDuties(t *testing.T) {
	url := newInnerSchema(t)
	long, short := time.Hour, 50*time.Millisecond
	a, b, c := hubProcess(t, url, "a:1", long), hubProcess(t, url, "b:1", long), hubProcess(t, url, "c:1", short)
	steps := []struct {
		process *Store
		asks    []string
		want    []string
	}{
		{a, []string{"x", "y"}, []string{"x", "y"}},
		{b, []string{"x", "z"}, []string{"z"}},
		{a, []string{"x", "y"}, []string{"x", "y"}},
		{b, []string{"y", "z", "x"}, []string{"z"}},
		{a, []string{"y"}, []string{"y"}}, // gives up x
		{b, []string{"y", "z", "x"}, []string{"z", "x"}},
		{a, []string{"y", "x"}, []string{"y"}},
		{b, nil, nil},
		{c, []string{"x", "y", "z"}, []string{"x", "z"}},
	}
	for i, step := range steps {
		step.process.askAgain()
		if diff := cmp.Diff(step.want, dutiesOf(t, step.process, step.asks...)); diff != "" {
			t.Errorf("step %d, %s asks for %v (-want +got):\n%s", i, step.process.roster.name, step.asks, diff)
		}
	}
	// c is not heard of any more.
	deadline := time.Now().Add(10 * time.Second)
	for {
		b.askAgain()
		if list := dutiesOf(t, b, "x", "y", "z"); slices.Equal(list, []string{"x", "z"}) {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("ten seconds after c was heard of last b has %v", list)
		}
	}
	// It comes back.
	if list := dutiesOf(t, c, "x", "y", "z"); len(list) > 0 {
		t.Errorf("c has come back and has %v, which are b's and a's", list)
	}
	a.resign()
	b.askAgain()
	if list := dutiesOf(t, b, "x", "y", "z"); len(list) != 3 {
		t.Errorf("after a has resigned b has %v", list)
	}
	if list := dutiesOf(t, a, "x", "y", "z"); len(list) > 0 {
		t.Errorf("a has resigned and has %v", list)
	}
	all, err := b.Processes(t.Context())
	if err != nil || len(all) == 0 || all[0].Name != "b:1" || !slices.Equal(all[0].Duties, []string{"x", "y", "z"}) || !all[0].Expires.After(all[0].Started) {
		t.Errorf("Processes: %+v, %v", all, err)
	}
}

// TestDutiesContended lets many processes ask for the same duties at once: each is one process's.
func TestDutiesContended(t *testing.T) {
	url := newInnerSchema(t)
	var duties []string
	for i := range 40 {
		duties = append(duties, fmt.Sprint("duty ", i))
	}
	var mu sync.Mutex
	owners := make(map[string]int)
	var wg sync.WaitGroup
	for i := range 4 {
		s := hubProcess(t, url, fmt.Sprint("p:", i), time.Hour)
		wg.Go(func() {
			list, err := s.Hold(t.Context(), "test", duties)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, duty := range list {
				owners[duty]++
			}
		})
	}
	wg.Wait()
	for _, duty := range duties {
		if owners[duty] != 1 {
			t.Errorf("%s is the duty of %d processes", duty, owners[duty])
		}
	}
}

// failingAside is an engine whose database does not take what stands aside.
type failingAside struct {
	engine
	err error
}

func (e failingAside) Aside(context.Context, func(conn) error) error { return e.err }

// TestDutiesWithoutDatabase holds that a process goes on with its duties as long as others wait for it, and no longer.
func TestDutiesWithoutDatabase(t *testing.T) {
	s := hubProcess(t, newInnerSchema(t), "a:1", time.Hour)
	dutiesOf(t, s, "x")
	working := s.engine
	s.engine = failingAside{working, unavailable("the database does not answer", errors.New("a test"))}
	defer func() { s.engine = working }()
	s.askAgain()
	if list := dutiesOf(t, s, "x"); len(list) != 1 {
		t.Errorf("while others wait it has %v", list)
	}
	s.roster.until = time.Now()
	if list, err := s.Hold(t.Context(), "test", []string{"x"}); err == nil || len(list) > 0 {
		t.Errorf("after its time it has %v, %v", list, err)
	}
}

// TestDutiesAlone holds that a process that serves alone has all duties and tells nobody.
func TestDutiesAlone(t *testing.T) {
	s := openDir(t, t.TempDir())
	if list := dutiesOf(t, s, "x", "y"); len(list) != 2 {
		t.Errorf("it has %v", list)
	}
	if all, err := s.Processes(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("Processes: %v, %v", all, err)
	}
}

// TestRunAttends holds that a store that runs is heard of, has the store's own duties, and is gone when it has ended.
func TestRunAttends(t *testing.T) {
	url := newInnerSchema(t)
	s, other := hubProcess(t, url, "a:1", processLife), hubProcess(t, url, "b:1", processLife)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	deadline := time.Now().Add(20 * time.Second)
	for {
		all, err := other.Processes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 1 && slices.Contains(all[0].Duties, "retention") && slices.Contains(all[0].Duties, "tidying") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 20 s the processes are %+v", all)
		}
	}
	if other.holds(t.Context(), "retention") {
		t.Error("the other process has the duty of one that runs")
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	other.askAgain()
	if !other.holds(t.Context(), "retention") {
		t.Error("the duty of a process that has ended in order is not to be had")
	}
}

// TestUseToken holds that of all who use a token, at any process, one is the first, and that it is remembered until it may
// be forgotten.
func TestUseToken(t *testing.T) {
	url := newInnerSchema(t)
	a, b := hubProcess(t, url, "a:1", time.Hour), hubProcess(t, url, "b:1", time.Hour)
	token := bytes.Repeat([]byte{7}, 16)
	use := func(s *Store, peer string, id []byte) bool {
		first, err := s.UseToken(t.Context(), peer, id, time.Hour)
		if err != nil {
			t.Error(err)
		}
		return first
	}
	if !use(a, "https://one.example", token) || use(b, "https://one.example", token) || use(a, "https://one.example", token) {
		t.Error("a token is accepted once, at whatever process")
	}
	if !use(b, "https://two.example", token) || !use(b, "https://one.example", bytes.Repeat([]byte{8}, 16)) {
		t.Error("another peer's token, or another token, is not the same one")
	}
	var mu sync.Mutex
	accepted := 0
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if use([]*Store{a, b}[i%2], "https://one.example", bytes.Repeat([]byte{9}, 16)) {
				mu.Lock()
				defer mu.Unlock()
				accepted++
			}
		})
	}
	wg.Wait()
	if accepted != 1 {
		t.Errorf("of 20 at once %d were the first", accepted)
	}
	if first, err := a.UseToken(t.Context(), "https://one.example", []byte("old"), 0); !first || err != nil {
		t.Errorf("%v, %v", first, err)
	}
	if err := a.forgetTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	if use(b, "https://one.example", token) || !use(b, "https://one.example", []byte("old")) {
		t.Error("what is too old is forgotten, and nothing else")
	}
}

// TestAsideOfWriters holds that what stands aside does not wait for a long transaction of a writer.
func TestAsideOfWriters(t *testing.T) {
	url := newInnerSchema(t)
	a, b := hubProcess(t, url, "a:1", time.Hour), hubProcess(t, url, "b:1", time.Hour)
	inside, leave := make(chan struct{}), make(chan struct{})
	written := make(chan error, 1)
	go func() {
		written <- a.write(t.Context(), func(conn) error {
			close(inside)
			<-leave
			return nil
		})
	}()
	<-inside
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if list, err := b.Hold(ctx, "test", []string{"x"}); err != nil || len(list) != 1 {
		t.Errorf("Hold: %v, %v", list, err)
	}
	if first, err := b.UseToken(ctx, "https://one.example", []byte("token"), time.Hour); err != nil || !first {
		t.Errorf("UseToken: %v, %v", first, err)
	}
	close(leave)
	if err := <-written; err != nil {
		t.Error(err)
	}
}
