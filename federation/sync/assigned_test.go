package sync

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// assignment says which subscriptions are a process's.
type assignment struct {
	mu    sync.Mutex
	mine  []int64
	err   error
	asked [][]int64
}

func (a *assignment) set(mine []int64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mine, a.err = mine, err
}

func (a *assignment) assigned(_ context.Context, subscriptions []int64) ([]int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, slices.Clone(subscriptions))
	return a.mine, a.err
}

// TestAssigned holds that a process pulls a subscription while it is its own, begins within a second when it becomes so, and
// stops within a second when it is another's, and when it can't be told whose it is.
func TestAssigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var a assignment
		r.options.Assigned = a.assigned
		r.peer.add(identities(0, 3)...)
		defer r.start().stop()
		quiet := func(when string) {
			t.Helper()
			after(time.Second)
			before := len(r.peer.asked())
			after(time.Hour)
			if n := len(r.peer.asked()) - before; n > 0 {
				t.Errorf("%s the peer was asked %d times", when, n)
			}
		}
		quiet("while the subscription is another's")
		a.set([]int64{1, 99}, nil) // also one that there is not
		after(time.Second)
		r.check()
		r.peer.add(identities(3, 5)...)
		after(2 * time.Minute)
		r.check()
		a.set(nil, nil)
		quiet("when it is another's again")
		a.set([]int64{1}, nil)
		r.peer.add(identities(5, 6)...)
		after(time.Second)
		r.check()
		a.set([]int64{1}, errors.New("the database does not answer"))
		quiet("while nobody knows whose it is")
		a.set([]int64{1}, nil)
		r.peer.add(identities(6, 8)...)
		after(time.Second)
		r.check()
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, ids := range a.asked {
			if !slices.Equal(ids, []int64{1}) {
				t.Fatalf("asked about %v", ids)
			}
		}
	})
}

// TestTwoOwners lets two processes pull one subscription at the same time, as when one was halted and does not know yet that
// it is another's: nothing is stored twice and nothing is missed.
func TestTwoOwners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		first := r.start()
		defer first.stop()
		second := r.start()
		defer second.stop()
		for n := range 30 {
			r.peer.add(identities(11*n, 11*n+11)...)
			first.replicator.Poke()
			second.replicator.Poke()
			after(time.Second)
		}
		after(time.Hour)
		r.check()
	})
}
