package sync

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/taxii"
)

const (
	// pushBatch is how many objects are sent at a time at most; it halves when the peer takes fewer.
	pushBatch = 500
	// maxPushPages bounds one round of a push, so that its state is looked at again.
	maxPushPages = 1000
)

// Pusher sends what pushes name to their peers. A batch is sent under a key that follows from its content, and the
// position moves when the peer has answered for each of its objects: what is sent twice changes nothing there.
type Pusher struct {
	options Options
	store   PushStore

	mu      sync.Mutex
	running map[int64]*pushing
}

// pushing is what this process knows of a push. One round of it is in flight at a time.
type pushing struct {
	busy  bool
	due   time.Time
	batch int
}

// NewPusher makes a Pusher; of the options Peers, Signer, HTTP, Chain, Interval, MaxPageBytes, Limits, Logger and Now count.
// Nothing is sent before Run.
func NewPusher(o Options, store PushStore) (*Pusher, error) {
	if o.Store == nil {
		o.Store = noPulls{}
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Pusher{options: o, store: store, running: make(map[int64]*pushing)}, nil
}

// noPulls stands for the store of a Pusher, which pulls nothing.
type noPulls struct{ Store }

// Run pushes until the context ends, then waits for what is in flight and returns nil.
func (p *Pusher) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	for {
		pushes, err := p.store.Pushes(ctx)
		if err != nil && ctx.Err() == nil {
			p.options.Logger.Warn("what is to be pushed can't be read", "error", err)
		}
		for _, push := range pushes {
			if s := p.begin(push.ID); s != nil {
				group.Go(func() { p.round(ctx, push, s) })
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// begin returns a push that is due and not in flight; nil for any other.
func (p *Pusher) begin(id int64) *pushing {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.running[id]
	if s == nil {
		s = &pushing{batch: pushBatch}
		p.running[id] = s
	}
	if s.busy || p.options.Now().Before(s.due) {
		return nil
	}
	s.busy = true
	return s
}

// round pushes once and says when the next round is due.
func (p *Pusher) round(ctx context.Context, push Push, s *pushing) {
	state, err := p.once(ctx, push, s)
	pause := spread(p.options.Interval, 0.8, 1.2)
	if err != nil && ctx.Err() == nil {
		pause = min(max(backoff(max(state.Failures, 1)), retryAfter(err)), maxBackoff)
		p.options.Logger.Warn("a push failed", "push", push.ID, "peer", push.Peer, "error", err, "failures", state.Failures, "next_in_s", pause.Round(time.Millisecond).Seconds())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.busy, s.due = false, p.options.Now().Add(pause)
}

// once sends what is new to the peer, batch by batch, and keeps how far it came.
func (p *Pusher) once(ctx context.Context, push Push, s *pushing) (PushState, error) {
	state, err := p.store.PushState(ctx, push.ID)
	if err != nil {
		return state, fmt.Errorf("read how far the push is: %w", err)
	}
	began := p.options.Now()
	err = p.batches(ctx, push, s, &state)
	if ctx.Err() != nil {
		return state, ctx.Err()
	}
	state.LastAttempt = began
	if err != nil {
		state.Error, state.Failures = cut(err.Error(), maxReason), state.Failures+1
	} else {
		state.Error, state.Failures, state.LastSuccess = "", 0, began
	}
	if kept := p.store.SetPushState(ctx, push.ID, state); kept != nil && err == nil {
		err = fmt.Errorf("keep how far the push is: %w", kept)
	}
	return state, err
}

func (p *Pusher) batches(ctx context.Context, push Push, s *pushing, state *PushState) error {
	var to *pushTarget
	for range maxPushPages {
		page, err := p.store.Page(ctx, push, state.After, s.batch)
		if err != nil {
			return fmt.Errorf("read what is to be pushed: %w", err)
		}
		if len(page.Entries) == 0 {
			state.After = max(state.After, page.Until)
			return nil
		}
		if to == nil {
			if to, err = p.target(ctx, push); err != nil {
				return err
			}
		}
		status, err := to.send(ctx, page.Entries)
		switch {
		case statusOf(err) == http.StatusRequestEntityTooLarge && s.batch > 1:
			s.batch = max(s.batch/2, 1)
			continue
		case statusOf(err) == http.StatusRequestEntityTooLarge:
			status = taxii.Status{FailureCount: 1, Failures: []taxii.StatusDetail{{ID: string(page.Entries[0].ID), Message: "it is larger than the peer takes"}}}
		case err != nil:
			return err
		}
		state.take(status, page.Entries[len(page.Entries)-1].DateAdded)
		if err := p.store.SetPushState(ctx, push.ID, *state); err != nil {
			return fmt.Errorf("keep how far the push is: %w", err)
		}
		if !page.More {
			return nil
		}
	}
	return nil
}

// take counts what the peer made of a batch.
func (s *PushState) take(status taxii.Status, last taxii.DateAdded) {
	s.After = last
	s.Sent += int64(status.SuccessCount)
	s.Refused += int64(status.FailureCount)
	if n := len(status.Failures); n > 0 {
		f := status.Failures[n-1]
		s.LastRefusal = cut(f.ID+": "+f.Message, maxReason)
	}
}

// pushTarget is the collection of a peer that is pushed to.
type pushTarget struct {
	client     *taxii.Client
	collection string
}

// target finds the peer and its collection.
func (p *Pusher) target(ctx context.Context, push Push) (*pushTarget, error) {
	peer, err := p.options.Peers.Peer(ctx, push.Peer)
	if err != nil {
		return nil, fmt.Errorf("look up the peer %s: %w", push.Peer, err)
	}
	client, err := newPeerClient(&p.options, peer, func(callee federation.EntityID, skew time.Duration) {
		p.options.Logger.Warn("the clocks of two nodes differ; set them right (NTP)", "peer", callee, "seconds_ahead", skew.Round(time.Second).Seconds())
	})
	if err != nil {
		return nil, fmt.Errorf("the API root of %s: %w", push.Peer, err)
	}
	found, err := client.Collection(ctx, push.Collection)
	if err != nil {
		return nil, err
	}
	if !uuid.MatchString(found.ID) {
		return nil, fmt.Errorf("the peer's collection %q has the id %.64q, which is no UUID", push.Collection, found.ID)
	}
	if !found.CanWrite {
		return nil, fmt.Errorf("the peer does not let this node add to the collection %q; ask its operator", push.Collection)
	}
	return &pushTarget{client: client, collection: found.ID}, nil
}

// send gives the peer a batch, and waits until it has decided about every object.
func (t *pushTarget) send(ctx context.Context, entries []taxii.Entry) (taxii.Status, error) {
	objects := make([][]byte, len(entries))
	for i, e := range entries {
		objects[i] = e.Raw
	}
	status, err := t.client.Submit(ctx, t.collection, objects, batchKey(entries))
	if err != nil {
		return status, err
	}
	if status, err = t.client.Await(ctx, status, nil); err != nil {
		return status, err
	}
	if n := status.SuccessCount + status.FailureCount; n != len(entries) {
		return status, fmt.Errorf("the peer's status is of %d objects, and %d were sent", n, len(entries))
	}
	return status, nil
}

// batchKey names a batch by its content: the SHA-256 of the sorted list of (id, version, digest). A peer that has seen it
// does nothing again.
func batchKey(entries []taxii.Entry) string {
	lines := make([]string, len(entries))
	for i, e := range entries {
		lines[i] = fmt.Sprintf("%s %s %x\n", e.ID, e.Version, sha256.Sum256(e.Raw))
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
