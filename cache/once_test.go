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
	name := rand.Text() + "\x00\xff"
	for i, n := range []*node{a, b, a} {
		if first, known := n.Once(t.Context(), name, time.Minute); !known || first != (i == 0) {
			t.Errorf("call %d: first %v, known %v", i, first, known)
		}
	}
	if first, known := b.Once(t.Context(), name+"x", time.Minute); !known || !first {
		t.Errorf("another name: %v, %v", first, known)
	}
	var wg sync.WaitGroup
	var firsts atomic.Int32
	name = rand.Text()
	for i := range 10 {
		n := []*node{a, b}[i%2]
		wg.Go(func() {
			if first, known := n.Once(t.Context(), name, time.Minute); first && known {
				firsts.Add(1)
			}
		})
	}
	wg.Wait()
	if firsts.Load() != 1 {
		t.Errorf("of ten at once %d were the first", firsts.Load())
	}
	name = rand.Text()
	a.Once(t.Context(), name, time.Second)
	eventually(t, "it is forgotten", func() bool {
		first, _ := b.Once(t.Context(), name, time.Second)
		return first
	})
	n, _ := cached(t, nil)
	if first, known := n.Once(t.Context(), name, time.Minute); first || known {
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
