package cache

import (
	"crypto/rand"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/stix"
)

// TestOnce holds that of all processes one notes a name first, that Redis forgets it when its life is over, and that a
// process without Redis says that it does not know.
func TestOnce(t *testing.T) {
	r := redisServer(t)
	a, b, _ := twoNodes(t, r, r)
	// On a busy machine a call may take longer than it may, and then nobody knows: another name is tried.
	known := func(what string, try func(name string) (all bool)) {
		t.Helper()
		eventually(t, what, func() bool {
			for _, n := range []*node{a, b} {
				n.clock.advance(maxWait)
			}
			return try(rand.Text() + "\x00\xff")
		})
	}
	known("a name is noted", func(name string) bool {
		for i, n := range []*node{a, b, a} {
			first, known := n.Once(t.Context(), name, time.Minute)
			if !known {
				return false
			}
			if first != (i == 0) {
				t.Errorf("call %d: first is %v", i, first)
			}
		}
		first, known := b.Once(t.Context(), name+"x", time.Minute)
		if known && !first {
			t.Error("another name is not new")
		}
		return known
	})
	known("a name is noted at once", func(name string) bool {
		var wg sync.WaitGroup
		var firsts, unknown atomic.Int32
		for i := range 10 {
			n := []*node{a, b}[i%2]
			wg.Go(func() {
				switch first, known := n.Once(t.Context(), name, time.Minute); {
				case !known:
					unknown.Add(1)
				case first:
					firsts.Add(1)
				}
			})
		}
		wg.Wait()
		if firsts.Load() > 1 || unknown.Load() == 0 && firsts.Load() != 1 {
			t.Errorf("of ten at once %d were the first", firsts.Load())
		}
		return unknown.Load() == 0
	})
	forgotten := ""
	known("a name is noted for a second", func(name string) bool {
		forgotten = name
		_, known := a.Once(t.Context(), name, time.Second)
		return known
	})
	eventually(t, "it is forgotten", func() bool {
		b.clock.advance(maxWait)
		first, _ := b.Once(t.Context(), forgotten, time.Second)
		return first
	})
	n, _ := cached(t, nil)
	if first, known := n.Once(t.Context(), "name", time.Minute); first || known {
		t.Errorf("without Redis: %v, %v", first, known)
	}
}

// TestOnceOfDeadRedis holds that a Redis that does not answer makes no name new.
func TestOnceOfDeadRedis(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n, c := cached(t, &Redis{Addresses: []string{l.Addr().String()}})
	for range 5 {
		if first, known := n.Once(t.Context(), "name", time.Minute); first || known {
			t.Errorf("first %v, known %v", first, known)
		}
	}
	add(t, n, c, indicator(1, 1, stix.TLPGreen)) // the node goes on
}
