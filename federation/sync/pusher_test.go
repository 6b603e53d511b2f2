package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// pushLog is a PushStore of one push.
type pushLog struct {
	mu      sync.Mutex
	push    Push
	entries []taxii.Entry
	state   PushState
	fail    func(PushState) error // of SetPushState
}

func (l *pushLog) Pushes(context.Context) ([]Push, error) { return []Push{l.push}, nil }

func (l *pushLog) PushState(context.Context, int64) (PushState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state, nil
}

func (l *pushLog) SetPushState(_ context.Context, _ int64, s PushState) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		if err := l.fail(s); err != nil {
			return err
		}
	}
	l.state = s
	return nil
}

func (l *pushLog) Page(_ context.Context, _ Push, after taxii.DateAdded, limit int) (taxii.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := l.entries[slices.IndexFunc(append(slices.Clone(l.entries), taxii.Entry{DateAdded: 1 << 62}), func(e taxii.Entry) bool { return e.DateAdded > after }):]
	n := min(limit, len(rest))
	return taxii.Page{Entries: slices.Clone(rest[:n]), More: n < len(rest)}, nil
}

func (l *pushLog) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		at := taxii.DateAdded(len(l.entries) + 1)
		l.entries = append(l.entries, taxii.Entry{DateAdded: at, ID: stix.Identifier(fmt.Sprintf("x--%d", at)), Version: "v", Raw: fmt.Appendf(nil, `{"id":"x--%d"}`, at)})
	}
}

// receiver is a TAXII server of one collection that is pushed to.
type receiver struct {
	mu       sync.Mutex
	held     map[string]int // how often each object was stored
	keys     map[string]taxii.Status
	most     int // objects in a body
	readOnly bool
	refuse   string // the id of an object that it never takes
	down     bool
	after    func() // called when a body was stored, before it is answered
}

func (s *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/taxii+json;version=2.1")
	switch {
	case s.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.Method == http.MethodGet:
		_ = json.NewEncoder(w).Encode(taxii.CollectionResource{ID: collectionID, Title: "Reports", CanRead: true, CanWrite: !s.readOnly})
	default:
		s.add(w, r)
	}
}

func (s *receiver) add(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // the test's own
	var envelope struct{ Objects []struct{ ID string } }
	if err := json.Unmarshal(body, &envelope); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if len(envelope.Objects) > s.most {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	status, again := s.keys[r.Header.Get("Idempotency-Key")]
	if !again {
		status = taxii.Status{ID: collectionID, Status: "complete", TotalCount: len(envelope.Objects)}
		for _, o := range envelope.Objects {
			if o.ID == s.refuse {
				status.FailureCount++
				status.Failures = append(status.Failures, taxii.StatusDetail{ID: o.ID, Version: "v", Message: "not here"})
				continue
			}
			s.held[o.ID]++
			status.SuccessCount++
			status.Successes = append(status.Successes, taxii.StatusDetail{ID: o.ID, Version: "v"})
		}
		s.keys[r.Header.Get("Idempotency-Key")] = status
	}
	if s.after != nil {
		s.after()
	}
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(status)
}

func newPushRig(t *testing.T, n int) (*pushLog, *receiver, *Pusher) {
	t.Helper()
	log := &pushLog{push: Push{ID: 7, From: localID, Peer: peerID, Collection: collectionID, MaxTLP: "green"}}
	log.add(n)
	to := &receiver{held: make(map[string]int), keys: make(map[string]taxii.Status), most: 1000}
	p, err := NewPusher(Options{
		Peers:  &pins{peers: map[federation.EntityID]federation.Peer{peerID: {Entity: peerID, APIRoot: peerID.DefaultAPIRoot()}}},
		Signer: &federation.Signer{Entity: selfID, Key: testKeys().Request}, HTTP: &http.Client{Transport: inProcess{to}},
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	return log, to, p
}

func (l *pushLog) once(t *testing.T, p *Pusher, s *pushing) error {
	t.Helper()
	_, err := p.once(t.Context(), l.push, s)
	return err
}

// wantHeld checks that each of n objects but those refused was stored once.
func (s *receiver) wantHeld(t *testing.T, n int, refused ...string) {
	t.Helper()
	want := make(map[string]int)
	for i := 1; i <= n; i++ {
		if id := fmt.Sprintf("x--%d", i); !slices.Contains(refused, id) {
			want[id] = 1
		}
	}
	if diff := cmp.Diff(want, s.held); diff != "" {
		t.Errorf("held by the peer, by how often (-want +got):\n%s", diff)
	}
}

func TestPush(t *testing.T) {
	log, to, p := newPushRig(t, 1234)
	to.refuse = "x--600"
	s := &pushing{batch: pushBatch}
	if err := log.once(t, p, s); err != nil {
		t.Fatal(err)
	}
	to.wantHeld(t, 1234, to.refuse)
	if st := log.state; st.After != 1234 || st.Sent != 1233 || st.Refused != 1 || st.LastRefusal != "x--600: not here" || st.LastSuccess.IsZero() || st.Error != "" {
		t.Errorf("the state is %+v", st)
	}
	log.add(3)
	if err := log.once(t, p, s); err != nil || log.state.Sent != 1236 {
		t.Errorf("%v; sent %d", err, log.state.Sent)
	}
	batches := len(to.keys)
	if err := log.once(t, p, s); err != nil || len(to.keys) != batches {
		t.Errorf("with nothing new: %v, %d batches", err, len(to.keys)-batches)
	}
}

// TestPushIsExact: wherever it breaks off, each object is stored once at the peer, and none is missed.
func TestPushIsExact(t *testing.T) {
	log, to, p := newPushRig(t, 1700)
	s := &pushing{batch: pushBatch}
	n := 0
	log.fail = func(s PushState) error { // the process ends between the peer's answer and the note of it, each second time
		if n++; n%2 == 1 {
			return errors.New("killed")
		}
		return nil
	}
	for range 20 {
		if err := log.once(t, p, s); err != nil && !strings.Contains(err.Error(), "killed") {
			t.Fatal(err)
		}
	}
	to.wantHeld(t, 1700)
	if log.state.After != 1700 {
		t.Errorf("the state is %+v", log.state)
	}
}

// TestPushAdapts: a peer that takes less at a time gets less, and what it never takes does not stop the others.
func TestPushAdapts(t *testing.T) {
	log, to, p := newPushRig(t, 100)
	to.most = 30
	s := &pushing{batch: pushBatch}
	if err := log.once(t, p, s); err != nil {
		t.Fatal(err)
	}
	to.wantHeld(t, 100)
	if s.batch > 30 {
		t.Errorf("the batch is %d", s.batch)
	}
	to.most = 0
	log.add(2)
	if err := log.once(t, p, s); err != nil || log.state.After != 102 || log.state.Refused != 2 || !strings.Contains(log.state.LastRefusal, "larger") {
		t.Errorf("objects that are too large: %v, %+v", err, log.state)
	}
}

// TestPushFails: the reason is kept for the operator, and nothing is lost.
func TestPushFails(t *testing.T) {
	log, to, p := newPushRig(t, 10)
	s := &pushing{batch: pushBatch}
	to.down = true
	for i := range 2 {
		if err := log.once(t, p, s); err == nil || log.state.Failures != i+1 || log.state.Error == "" || log.state.After != 0 {
			t.Errorf("%v; %+v", err, log.state)
		}
	}
	to.down, to.readOnly = false, true
	if err := log.once(t, p, s); err == nil || !strings.Contains(log.state.Error, "does not let this node add") {
		t.Errorf("%v; %+v", err, log.state)
	}
	to.readOnly = false
	if err := log.once(t, p, s); err != nil || log.state.Failures != 0 || log.state.Error != "" {
		t.Errorf("%v; %+v", err, log.state)
	}
	to.wantHeld(t, 10)
	log.push.Peer = "https://stranger.example"
	log.add(1)
	if err := log.once(t, p, s); !errors.Is(err, federation.ErrUnknownPeer) {
		t.Errorf("an unknown peer: %v", err)
	}
}

// TestPusherRuns: what is new is sent while it runs, and it ends with its context.
func TestPusherRuns(t *testing.T) {
	log, to, p := newPushRig(t, 5)
	p.options.Interval = time.Millisecond
	stored := make(chan struct{}, 100)
	to.after = func() { stored <- struct{}{} }
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	for range 2 {
		select {
		case <-stored:
		case <-ctx.Done():
			t.Fatal("nothing was sent")
		}
		log.add(5)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// FuzzPushLevel: what is stricter than TLP:AMBER never leaves, however it is written.
func FuzzPushLevel(f *testing.F) {
	for _, seed := range []string{"clear", "green", "amber", "amber+strict", "red", "", "TLP:RED", "GREEN"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if level, ok := PushLevel(text); ok && (level > stix.TLPAmber || level < stix.TLPClear) {
			t.Errorf("%q is the level %s", text, level)
		}
	})
}
