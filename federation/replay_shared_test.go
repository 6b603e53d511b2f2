package federation

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"
)

// sharedMemory is a TokenMemory of several verifiers.
type sharedMemory struct {
	mu    sync.Mutex
	used  map[string]TokenUse
	asked int
	err   error
}

func (m *sharedMemory) UseToken(_ context.Context, issuer EntityID, id []byte, use TokenUse) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	key := string(issuer) + string(id)
	if _, ok := m.used[key]; ok || m.err != nil {
		return false, m.err
	}
	if m.used == nil {
		m.used = make(map[string]TokenUse)
	}
	m.used[key] = use
	return true, nil
}

// processes are verifiers of one node, as its processes have.
func processes(t *testing.T, clock *time.Time, memory TokenMemory) (a, b *Verifier) {
	t.Helper()
	n := testNodes()
	var made []*Verifier
	for range 2 {
		v, err := NewVerifier(VerifierOptions{Self: n.b.id, Peers: pinned(t, n.a), Now: func() time.Time { return *clock }, Start: clock.Add(-time.Hour), Shared: memory})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, v)
	}
	return made[0], made[1]
}

// TestSharedReplay holds that a token that one process has accepted is refused by the other, that the memory is told enough
// to forget it in time and not too early, and that wrong tokens do not reach it.
func TestSharedReplay(t *testing.T) {
	n, clock := testNodes(), testNow
	var memory sharedMemory
	a, b := processes(t, &clock, &memory)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
		r := received(t, method, objectsURL, "", func(out *http.Request) error { return n.a.signer(clock).SignRequest(out, n.b.id, nil) })
		_, err := a.Verify(r)
		wantReason(t, err, "")
		_, err = b.Verify(r)
		wantReason(t, err, Replayed)
		asked := memory.asked
		for _, v := range []*Verifier{a, b} {
			_, err = v.Verify(r)
			wantReason(t, err, Replayed)
		}
		if memory.asked != asked {
			t.Errorf("%s: the shared memory was asked about a token that the process knew", method)
		}
	}
	for key, use := range memory.used {
		// Made in this second, a token can be accepted for 90 seconds, and by a clock that is 30 seconds behind for as much longer.
		if use.Life < 119*time.Second || use.Life > 150*time.Second {
			t.Errorf("%q is to be remembered for %s", key, use.Life)
		}
	}
	asked := memory.asked
	_, err := a.Verify(forgedRequest(t, nil, n.c.keys.Request, "", "", ""))
	wantReason(t, err, Reason("unknown-key"))
	if memory.asked != asked {
		t.Error("a token with a wrong signature reached the shared memory")
	}
}

// TestSharedReplayKinds holds that the memory is told what kind of request it is.
func TestSharedReplayKinds(t *testing.T) {
	n, clock := testNodes(), testNow
	for method, changes := range map[string]bool{
		http.MethodGet: false, http.MethodHead: false, http.MethodOptions: false,
		http.MethodPost: true, http.MethodPut: true, http.MethodPatch: true, http.MethodDelete: true,
	} {
		var memory sharedMemory
		v, _ := processes(t, &clock, &memory)
		_, err := v.Verify(received(t, method, objectsURL, "", func(out *http.Request) error { return n.a.signer(clock).SignRequest(out, n.b.id, nil) }))
		wantReason(t, err, "")
		for _, use := range memory.used {
			if use.Changes != changes {
				t.Errorf("%s: %+v", method, use)
			}
		}
		if len(memory.used) != 1 {
			t.Errorf("%s: %d tokens are remembered", method, len(memory.used))
		}
	}
}

// TestSharedReplayFails: a memory that does not answer refuses the request as trouble of this node, not as a wrong token.
func TestSharedReplayFails(t *testing.T) {
	n, clock := testNodes(), testNow
	broken := errors.New("the database does not answer")
	v, _ := processes(t, &clock, &sharedMemory{err: broken})
	_, err := v.Verify(received(t, http.MethodGet, objectsURL, "", func(out *http.Request) error { return n.a.signer(clock).SignRequest(out, n.b.id, nil) }))
	if !errors.Is(err, broken) || ReasonOf(err) != "" {
		t.Errorf("got %v", err)
	}
}

// TestSharedReplayRace sends one token to two processes at once from many goroutines: exactly one is accepted.
func TestSharedReplayRace(t *testing.T) {
	n, clock := testNodes(), testNow
	a, b := processes(t, &clock, &sharedMemory{})
	accepted := make(chan bool)
	const tries = 20
	signed := received(t, http.MethodGet, objectsURL, "", func(out *http.Request) error { return n.a.signer(clock).SignRequest(out, n.b.id, nil) })
	for i := range tries {
		r := signed.Clone(t.Context())
		go func() {
			_, err := []*Verifier{a, b}[i%2].Verify(r)
			accepted <- err == nil
		}()
	}
	total := 0
	for range tries {
		if <-accepted {
			total++
		}
	}
	if total != 1 {
		t.Errorf("the token was accepted %d times", total)
	}
}
