package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/federation"
)

// runFetching asks for the lists of the anchors and for records: at once, then every interval ± 20 %, and sooner while it
// fails.
func (r *revocations) runFetching(ctx context.Context) error {
	retry := min(firstFetchRetry, r.interval)
	for {
		pause := r.interval
		if len(r.anchors()) == 0 {
			pause = time.Second // the charter has yet to come, by command
		} else if err := r.fetch(ctx); err != nil && ctx.Err() == nil {
			r.failures()
			pause, retry = retry, min(2*retry, r.interval)
			r.log.Warn("the revocation lists can't be fetched; it is tried again", "in_s", pause.Seconds(), "error", err)
		} else {
			retry = min(firstFetchRetry, r.interval)
		}
		timer := time.NewTimer(time.Duration(float64(pause) * (0.8 + 0.4*rand.Float64())))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// fetch asks once for the list of every other anchor, and for records.
func (r *revocations) fetch(ctx context.Context) error {
	known := r.current()
	if known == nil {
		return nil
	}
	var failed []error
	answered := r.superiors
	for _, a := range r.anchors() {
		if a.Entity == r.entity {
			continue
		}
		from, err := r.fetchList(ctx, known, a.Entity)
		r.note(a.Entity, from, err)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		answered = append([]federation.EntityID{from}, answered...)
	}
	r.learned()
	if err := r.save(ctx, known); err != nil {
		failed = append(failed, fmt.Errorf("keep the revocation lists: %w", err))
	}
	if err := r.fetchRecords(ctx, answered); err != nil {
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// fetchList asks the anchor for its list, and this node's superiors where it does not answer. It returns who had one that
// is fresh.
func (r *revocations) fetchList(ctx context.Context, known *federation.Revocations, anchor federation.EntityID) (federation.EntityID, error) {
	var failed []error
	sources := slices.DeleteFunc(slices.Clone(r.superiors), func(s federation.EntityID) bool { return s == anchor || s == r.entity })
	for _, from := range append([]federation.EntityID{anchor}, sources...) {
		compact, err := federation.FetchRevocationList(ctx, r.client, from, anchor, known.List(anchor))
		if err == nil && compact != "" {
			_, err = known.Accept(compact, time.Now())
		}
		if errors.Is(err, federation.ErrForkedRevocationList) {
			r.log.Error("the anchor's key has signed two lists that contradict each other: somebody else has the key, or it was put back to an old state; tell the founders",
				"anchor", anchor, "error", err)
			err = nil
		}
		held := known.List(anchor)
		if err == nil && (held == nil || !time.Now().Before(time.Unix(held.Expires, 0).Add(held.Leeway()))) {
			err = errors.New("it has no list that is fresh")
		}
		if err == nil {
			return from, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		failed = append(failed, fmt.Errorf("the list of %s, by %s: %w", anchor, from, err))
	}
	return "", errors.Join(failed...)
}

// note keeps how a fetch went, for the operator.
func (r *revocations) note(anchor, from federation.EntityID, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.fetched[anchor]
	if f.Error = ""; err != nil {
		f.Error = err.Error()
	} else {
		f.From, f.At = from, time.Now()
	}
	r.fetched[anchor] = f
}

// fetches tell how the last fetch of each anchor's list went.
func (r *revocations) fetches() map[federation.EntityID]fetchedList {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[federation.EntityID]fetchedList, len(r.fetched))
	for anchor, f := range r.fetched {
		f.At = f.At.UTC().Truncate(time.Second)
		all[anchor] = f
	}
	return all
}

// fetchRecords brings the records that another node has: those behind the lists' entries, and those that end them.
func (r *revocations) fetchRecords(ctx context.Context, from []federation.EntityID) error {
	r.mu.Lock()
	records := r.records
	r.mu.Unlock()
	var failed []error
	for _, id := range from {
		if id == r.entity {
			continue
		}
		added, err := records.Fetch(ctx, id)
		if added > 0 {
			r.log.Info("the federation has new records", "records", added, "from", id)
			r.learned()
		}
		if err == nil {
			return nil
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}
