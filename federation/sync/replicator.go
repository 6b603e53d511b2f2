package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// reconcileEvery is how often the subscriptions are read: a change made by another process takes effect within it.
const reconcileEvery = time.Second

// Replicator pulls every subscription, each in its own goroutine. Several processes may run one over the same store:
// Options.Assigned lets one of them at a time pull a subscription, so that peers are not asked by each, and whatever it
// says the cursor's compare-and-set keeps them from storing a page twice.
type Replicator struct {
	options Options
	metrics *metrics

	mu    sync.Mutex
	poked map[*worker]struct{} // the workers that run; nil before and after Run
}

// New makes a Replicator; nothing is sent before Run. The error is a wrong option.
func New(o Options) (*Replicator, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	return &Replicator{options: o, metrics: m, poked: make(map[*worker]struct{})}, nil
}

// Run pulls until the context ends, then waits for the pulls in flight and returns nil. It reads the subscriptions once a
// second: a new one is pulled at once, a removed one is stopped, one with another peer or collection starts anew.
func (r *Replicator) Run(ctx context.Context) error {
	workers := make(map[int64]*worker)
	defer func() {
		for _, w := range workers {
			w.cancel()
		}
		for _, w := range workers {
			<-w.done
		}
	}()
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	for {
		if err := r.reconcile(ctx, workers); err != nil && ctx.Err() == nil {
			r.options.Logger.Warn("the subscriptions cannot be followed; those that are pulled go on if they are this process's", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// reconcile starts and stops workers, so that there is one for each subscription.
func (r *Replicator) reconcile(ctx context.Context, workers map[int64]*worker) error {
	subs, err := r.options.Store.Subscriptions(ctx)
	if err != nil {
		return err
	}
	subs, unassigned := r.assigned(ctx, subs)
	wanted := make(map[int64]Subscription, len(subs))
	for _, s := range subs {
		wanted[s.ID] = s
	}
	for id, w := range workers {
		if s, ok := wanted[id]; !ok || !sameSource(s, w.sub) || w.ended() {
			w.cancel()
			<-w.done
			r.forget(w)
			delete(workers, id)
		}
	}
	for _, s := range subs {
		if workers[s.ID] == nil {
			w := &worker{
				sub: s, puller: newPuller(&r.options, r.metrics, s.ID), interval: r.options.Interval,
				poke: make(chan struct{}, 1), done: make(chan struct{}),
			}
			var wctx context.Context
			wctx, w.cancel = context.WithCancel(ctx)
			workers[s.ID] = w
			r.register(w)
			go w.run(wctx)
		}
	}
	r.metrics.subscriptions.Set(float64(len(workers)))
	return unassigned
}

// assigned are the subscriptions that this process pulls; none, and the error, while that can't be told.
func (r *Replicator) assigned(ctx context.Context, subs []Subscription) ([]Subscription, error) {
	if r.options.Assigned == nil {
		return subs, nil
	}
	ids := make([]int64, len(subs))
	for i, s := range subs {
		ids[i] = s.ID
	}
	mine, err := r.options.Assigned(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("whether this process pulls them can't be told: %w", err)
	}
	return slices.DeleteFunc(subs, func(s Subscription) bool { return !slices.Contains(mine, s.ID) }), nil
}

func (r *Replicator) register(w *worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.poked[w] = struct{}{}
}

func (r *Replicator) forget(w *worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.poked, w)
}

// Poke pulls every subscription now, those in a pause after failures too. It does not wait.
func (r *Replicator) Poke() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.poked {
		select {
		case w.poke <- struct{}{}:
		default: // it has been poked already
		}
	}
}

// worker is the goroutine of one subscription.
type worker struct {
	sub      Subscription // as it was when the worker began
	puller   *Puller
	interval time.Duration
	poke     chan struct{}
	cancel   context.CancelFunc
	done     chan struct{}
}

func (w *worker) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// run pulls until the context or the subscription ends.
func (w *worker) run(ctx context.Context) {
	defer close(w.done)
	log := w.puller.options.Logger.With("subscription", w.sub.ID, "peer", w.sub.Peer, "collection", w.sub.Collection)
	failures := 0
	defer func() {
		if failures > 0 {
			w.puller.metrics.failing.Dec()
		}
	}()
	for {
		_, err := w.puller.Pull(ctx)
		pause := spread(w.interval, 0.8, 1.2)
		switch {
		case ctx.Err() != nil || errors.Is(err, errGone):
			return
		case err != nil:
			if failures++; failures == 1 {
				w.puller.metrics.failing.Inc()
			}
			pause = min(max(backoff(failures), retryAfter(err)), maxBackoff)
			log.Warn("a pull failed", "error", err, "failures", failures, "next_in_s", pause.Round(time.Millisecond).Seconds())
		case failures > 0:
			log.Info("pulls succeed again", "failures", failures)
			w.puller.metrics.failing.Dec()
			failures = 0
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-w.poke:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}
