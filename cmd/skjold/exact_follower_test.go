package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/taxii"
)

// follower polls a collection as a client does that keeps what it gets and its position together: a page counts when it
// was read to its end, and a request that failed is sent again.
type follower struct {
	name       string
	world      *world
	collection string
	match      []string      // match[version]
	byNext     bool          // follows next; otherwise every page is asked for by added_after
	lag        time.Duration // how long a deleted object may still be served; 0 on a single process
	elsewhere  bool          // reads a copy, from which nobody deletes
	largest    int           // the largest limit that it asks for; 0 for 30
	rng        *rand.Rand

	addedAfter, next string
	limit            int
	order            []versionName
	got              map[versionName]bool
	pages            int
}

// errNotExact: a follower was given something that it should not get, or not in this order.
var errNotExact = errors.New("not exact")

// step polls one page. It returns whether there is more. Of errors, those that are errNotExact are findings.
func (f *follower) step(ctx context.Context, client *taxii.Client) (more bool, err error) {
	if f.next == "" {
		f.limit = 1 + f.rng.IntN(max(f.largest, 30))
	}
	asked := time.Now()
	page, err := client.Objects(ctx, f.collection, taxii.PageRequest{AddedAfter: f.addedAfter, Next: f.next, Limit: f.limit, Versions: f.match})
	if err != nil {
		return false, err
	}
	defer page.Close()
	var raws [][]byte
	for {
		raw, err := page.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, err
		}
		raws = append(raws, slices.Clone(raw))
	}
	f.pages++
	for _, raw := range raws {
		if err := f.take(raw, asked); err != nil {
			return false, fmt.Errorf("%w: %s: %w", errNotExact, f.name, err)
		}
	}
	switch {
	case len(raws) > f.limit:
		return false, fmt.Errorf("%w: %s: %d objects, the limit is %d", errNotExact, f.name, len(raws), f.limit)
	case page.More() && (page.NextToken() == "" || page.DateAddedLast == ""):
		return false, fmt.Errorf("%w: %s: there is more, and no way to it", errNotExact, f.name)
	case page.DateAddedLast < f.addedAfter && page.DateAddedLast != "" || page.DateAddedLast == f.addedAfter && len(raws) > 0:
		return false, fmt.Errorf("%w: %s: X-TAXII-Date-Added-Last is %s, the position was %s", errNotExact, f.name, page.DateAddedLast, f.addedAfter)
	}
	f.next = ""
	if f.byNext && page.More() && f.rng.IntN(8) > 0 { // now and then a client goes on by date in the middle
		f.next = page.NextToken()
		return true, nil
	}
	if page.DateAddedLast != "" {
		f.addedAfter = page.DateAddedLast
	}
	return page.More(), nil
}

// take keeps an object and reports what is wrong with getting it.
func (f *follower) take(raw []byte, asked time.Time) error {
	name, err := readName(raw)
	if err != nil {
		return err
	}
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	v := f.world.versions[name]
	switch {
	case v == nil:
		return fmt.Errorf("%s came, which nobody published", name)
	case f.got[name] && !f.world.returns(name):
		return fmt.Errorf("%s came twice", name)
	case v.raw != string(raw):
		return fmt.Errorf("%s came changed: %s", name, raw)
	case !f.elsewhere && !v.deleted.IsZero() && asked.After(v.deleted.Add(f.lag)):
		return fmt.Errorf("%s came %s after it was deleted", name, asked.Sub(v.deleted))
	}
	if f.got[name] {
		f.order = slices.DeleteFunc(f.order, func(n versionName) bool { return n == name })
	}
	f.got[name] = true
	f.order = append(f.order, name)
	return nil
}

// readName names a version from its bytes.
func readName(raw []byte) (versionName, error) {
	var o struct{ ID, Created, Modified string }
	if err := json.Unmarshal(raw, &o); err != nil {
		return versionName{}, fmt.Errorf("%w: %.200q", err, raw)
	}
	if o.Modified == "" {
		o.Modified = o.Created
	}
	return versionName{o.ID, o.Modified}, nil
}

// fresh is a follower of the same content that begins at the beginning.
func (f *follower) fresh() *follower {
	return &follower{name: f.name + ", from the beginning", world: f.world, collection: f.collection, match: f.match, byNext: !f.byNext, lag: f.lag,
		elsewhere: f.elsewhere, largest: f.largest, rng: f.rng, got: map[versionName]bool{}}
}

// drain polls until there is no more.
func (f *follower) drain(ctx context.Context, client *taxii.Client) error {
	for {
		more, err := f.step(ctx, client)
		if err != nil || !more {
			return err
		}
	}
}

// settle drains the follower and compares what it has got in all with what it would get now.
func (f *follower) settle(ctx context.Context, client *taxii.Client) error {
	if err := f.drain(ctx, client); err != nil {
		return err
	}
	now := f.fresh()
	if err := now.drain(ctx, client); err != nil {
		return err
	}
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	var missed []string
	for _, name := range now.order {
		// Without match[version]=all, a version that was deleted lets an older one be the last again, whose date has passed.
		if !f.got[name] && (len(f.match) > 0 || !f.world.byID[name.id].pruned) {
			missed = append(missed, name.String())
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("%w: %s: %d of %d never came: %s", errNotExact, f.name, len(missed), len(now.order), strings.Join(missed[:min(len(missed), 5)], ", "))
	}
	still := func(n versionName) bool { return now.got[n] }
	came := func(n versionName) bool { return f.got[n] }
	a, b := filter(f.order, still), filter(now.order, came)
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Errorf("%w: %s: %s came where %s stands in the collection", errNotExact, f.name, a[i], b[i])
		}
	}
	return nil
}

func filter(list []versionName, keep func(versionName) bool) []versionName {
	var kept []versionName
	for _, n := range list {
		if keep(n) {
			kept = append(kept, n)
		}
	}
	return kept
}
