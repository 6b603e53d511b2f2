package store

import (
	"strings"
	"sync/atomic"
	"testing"
)

// TestInShares holds that everything is done once, however it is divided.
func TestInShares(t *testing.T) {
	for _, n := range []int{0, 1, parallelShare - 1, parallelShare, 2*parallelShare - 1, 2 * parallelShare, 1000, 1024} {
		done := make([]atomic.Int32, n)
		inShares(n, func(from, to int) {
			for i := from; i < to; i++ {
				done[i].Add(1)
			}
		})
		for i := range done {
			if times := done[i].Load(); times != 1 {
				t.Errorf("%d things: number %d was done %d times", n, i, times)
			}
		}
	}
}

// TestInSharesPanics holds that a panic reaches the caller, who can recover from it, with what it says.
func TestInSharesPanics(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "the last one") {
			t.Errorf("the panic of the caller says %q", text)
		}
	}()
	const n = 10 * parallelShare
	inShares(n, func(_, to int) {
		if to == n {
			panic("the last one")
		}
	})
	t.Error("there was no panic")
}
