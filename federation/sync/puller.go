package sync

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/taxii"
)

const (
	// maxConflicts is how often a pull begins again because another process moved the cursor.
	maxConflicts = 10
	// maxPages bounds one pull: a peer that always has more is left alone for an interval, and others' logs with it.
	maxPages = 10_000
)

// errGone: the subscription was removed.
var errGone = errors.New("there is no such subscription")

// Puller pulls one subscription. It is not for concurrent use: one pull is in flight per subscription.
type Puller struct {
	options *Options
	metrics *metrics
	id      int64
	source  *source
	size    pageSize

	maxPages int // of one pull
}

// NewPuller makes a Puller of the subscription with that id; the error is a wrong option.
func NewPuller(o Options, subscription int64) (*Puller, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	return newPuller(&o, m, subscription), nil
}

func newPuller(o *Options, m *metrics, subscription int64) *Puller {
	return &Puller{options: o, metrics: m, id: subscription, size: newPageSize(o.PageSize, o.MaxPageSize), maxPages: maxPages}
}

// Pulled is what a pull did.
type Pulled struct {
	Pages   int // pages that held something
	Applied Applied
}

// Pull reads page after page from the stored cursor until the peer has nothing more, and stores each together with its
// cursor. A failure is noted in the store, with its reason, and returned; the pages before it stay.
//
// Whatever fails, and wherever the process ends, the stored cursor is that of the last stored page: the next pull
// begins there, so that a page may come twice and none is missed.
func (p *Puller) Pull(ctx context.Context) (Pulled, error) {
	pulled, err := p.pull(ctx)
	if err == nil || ctx.Err() != nil || errors.Is(err, errGone) {
		return pulled, err
	}
	p.metrics.pulls.WithLabelValues("failed").Inc()
	p.adapt(err)
	err = explain(err)
	if noteErr := p.options.Store.PullFailed(ctx, p.id, p.options.Now(), cut(err.Error(), maxReason)); noteErr != nil {
		err = errors.Join(err, fmt.Errorf("note the failed pull: %w", noteErr))
	}
	return pulled, err
}

// explain adds to a refusal what the operator of this node can look for: the peer tells a stranger nothing.
func explain(err error) error {
	if !errors.Is(err, taxii.ErrUnauthenticated) {
		return err
	}
	return fmt.Errorf("the peer does not accept this node's signed requests; it has just started, or its operator has not pinned "+
		"this node's present key set, or its clock is wrong: %w", err)
}

// pull turns a panic into an error: what a peer sends must not end the node.
func (p *Puller) pull(ctx context.Context) (pulled Pulled, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			p.options.Logger.Error("a pull panicked", "subscription", p.id, "panic", cause, "stack", string(debug.Stack()))
			err = fmt.Errorf("internal error while pulling: %v", cause)
		}
	}()
	sub, err := p.subscription(ctx)
	if err != nil {
		return pulled, err
	}
	for conflicts := 0; pulled.Pages < p.maxPages; {
		applied, next, objects, err := p.page(ctx, sub)
		switch {
		case errors.Is(err, ErrConflict) && conflicts < maxConflicts:
			conflicts++
			p.metrics.pulls.WithLabelValues("conflict").Inc()
			if sub, err = p.subscription(ctx); err != nil {
				return pulled, err
			}
			continue
		case err != nil:
			return pulled, err
		case objects == 0:
			return pulled, nil
		}
		sub.Cursor = next
		pulled.Pages++
		pulled.Applied = sum(pulled.Applied, applied)
	}
	return pulled, nil
}

// subscription reads the subscription as it is stored now.
func (p *Puller) subscription(ctx context.Context) (Subscription, error) {
	all, err := p.options.Store.Subscriptions(ctx)
	if err != nil {
		return Subscription{}, fmt.Errorf("read the subscriptions: %w", err)
	}
	i := slices.IndexFunc(all, func(s Subscription) bool { return s.ID == p.id })
	if i < 0 {
		return Subscription{}, errGone
	}
	sub := all[i]
	if p.source == nil || !sameSource(p.source.sub, sub) {
		p.source = &source{options: p.options, sub: sub}
	}
	return sub, nil
}

// sameSource tells whether two states of a subscription are of the same peer's collection into the same one here, by the
// same rules.
func sameSource(a, b Subscription) bool {
	return a.Peer == b.Peer && a.Collection == b.Collection && a.Into == b.Into && a.Rules == b.Rules
}

// page gets and stores one page. It returns the cursor behind it and how many objects it had.
func (p *Puller) page(ctx context.Context, sub Subscription) (Applied, Cursor, int, error) {
	began := p.options.Now()
	got, err := p.source.read(ctx, sub.Cursor, p.size.size)
	if err != nil {
		return Applied{}, sub.Cursor, 0, err
	}
	to, err := advance(sub.Cursor, got.end)
	if err != nil {
		return Applied{}, sub.Cursor, 0, err
	}
	pulled := PulledPage{Subscription: sub.ID, From: sub.Cursor, To: to, Received: p.options.Now(), Items: got.items}
	applied, err := p.options.Store.Apply(ctx, pulled)
	if err != nil {
		return Applied{}, sub.Cursor, 0, fmt.Errorf("store a page: %w", err)
	}
	if got.end.more && len(got.items) == p.size.size {
		p.size.grow()
	}
	p.metrics.seconds.Observe(p.options.Now().Sub(began).Seconds())
	if len(got.items) == 0 {
		p.metrics.pulls.WithLabelValues("empty").Inc()
	} else {
		p.metrics.pulls.WithLabelValues("applied").Inc()
		p.metrics.applied(applied)
	}
	if p.options.OnApplied != nil {
		p.options.OnApplied(sub, pulled, applied)
	}
	return applied, to, len(got.items), nil
}

// adapt asks for less after a failure that a smaller page may avoid.
func (p *Puller) adapt(err error) {
	switch statusOf(err) {
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		p.size.halve()
		return
	}
	var timeout net.Error
	if errors.Is(err, errPageTooLarge) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		p.size.halve()
	}
}

// retryAfter is how long the peer asks to wait, 0 where it does not.
func retryAfter(err error) time.Duration {
	var refused *taxii.ResponseError
	if errors.As(err, &refused) {
		return refused.RetryAfter
	}
	return 0
}

func sum(a, b Applied) Applied {
	return Applied{
		Stored: a.Stored + b.Stored, Violating: a.Violating + b.Violating, Known: a.Known + b.Known,
		Quarantined: a.Quarantined + b.Quarantined, Tombstoned: a.Tombstoned + b.Tombstoned,
	}
}
