package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/jose"
	"github.com/skjold-exchange/skjold/store"
)

// Facts about the node in its database, which the serve processes of a hub share and a backup carries.
const (
	listsFact  = "revocation_lists"       // what is known of the anchors' lists
	issuedFact = "revocation_list_issued" // the list that this node, an anchor, signed last
)

// firstFetchRetry is the pause after lists could not be fetched; it doubles up to the interval.
const firstFetchRetry = time.Second

// checkedFor is how long what is revoked is not asked of the records and the lists anew.
const checkedFor = 500 * time.Millisecond

// revocations is what a running node knows of revoked members and keys. An anchor signs its list; every node fetches those
// of the anchors, and the records that it lacks, from the anchors or else from its superiors, and keeps them: neither an
// old list nor the seq of an anchor's own gets younger by a restart.
type revocations struct {
	entity    federation.EntityID
	superiors []federation.EntityID
	store     *store.Store
	client    *http.Client
	members   *membership
	key       func() *jose.Key // the federation key
	interval  time.Duration
	log       *slog.Logger
	failures  func() // counts a fetch that failed

	mu       sync.Mutex
	known    *federation.Revocations   // nil until the records could be read
	records  *federation.RecordFetcher // the same
	kept     string                    // what the database has of known
	issued   *federation.RevocationList
	restored time.Time // when the database was put back to a backup, zero for never
	fetched  map[federation.EntityID]fetchedList
	check    func(federation.EntityID, string, time.Time) error
	checked  time.Time
}

// fetchedList is how the last fetch of an anchor's list went.
type fetchedList struct {
	From  federation.EntityID `json:"from,omitempty"` // who had it
	At    time.Time           `json:"at,omitzero"`    // of the last success
	Error string              `json:"error,omitempty"`
}

// open reads what was kept.
func (r *revocations) open(ctx context.Context) error {
	r.fetched = make(map[federation.EntityID]fetchedList)
	kept, err := optionalFact(ctx, r.store, listsFact)
	if err != nil {
		return err
	}
	r.kept = kept
	restored, err := optionalFact(ctx, r.store, store.RestoredFact)
	if err == nil && restored != "" {
		r.restored, err = time.Parse(time.RFC3339Nano, restored)
	}
	return err
}

// optionalFact is a fact about the node, "" where there is none.
func optionalFact(ctx context.Context, st *store.Store, name string) (string, error) {
	text, err := st.Meta(ctx, name)
	if isNotFound(err) {
		return "", nil
	}
	return text, err
}

// current is what is known; nil while the records can't be read.
func (r *revocations) current() *federation.Revocations {
	ledger := r.members.current()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known != nil || ledger == nil {
		return r.known
	}
	if _, err := ledger.Charter(); err != nil {
		return nil // nobody could sign a list yet
	}
	r.known = federation.NewRevocations(ledger)
	r.records = &federation.RecordFetcher{Ledger: ledger, HTTP: r.client}
	if r.kept != "" {
		if err := r.known.Merge(r.kept, time.Now()); err != nil {
			r.log.Error("the revocation lists in the database can't be read; they are fetched anew", "error", err)
		}
	}
	return r.known
}

// refuse is why an entity, or one of its keys, is not to be believed now; nil if nothing is against it.
func (r *revocations) refuse(entity federation.EntityID, kid string, issued time.Time) error {
	known, now := r.current(), time.Now()
	if known == nil {
		return nil
	}
	r.mu.Lock()
	if age := now.Sub(r.checked); r.check == nil || age < 0 || age >= checkedFor {
		r.check, r.checked = known.Check(now), now
	}
	check := r.check
	r.mu.Unlock()
	return check(entity, kid, issued)
}

// learned makes what has just come count at once.
func (r *revocations) learned() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.check = nil
}

// list is the newest list of an anchor.
func (r *revocations) list(anchor federation.EntityID) *federation.RevocationList {
	if known := r.current(); known != nil {
		return known.List(anchor)
	}
	return nil
}

// anchors are those of the charter in force.
func (r *revocations) anchors() []federation.Anchor {
	ledger := r.members.current()
	if ledger == nil {
		return nil
	}
	charter, err := ledger.Charter()
	if err != nil {
		return nil
	}
	return charter.Anchors
}

// isAnchor tells whether this node signs a list.
func (r *revocations) isAnchor() bool {
	for _, a := range r.anchors() {
		if a.Entity == r.entity {
			return true
		}
	}
	return false
}

// run issues and fetches until ctx ends.
func (r *revocations) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.runIssuing(ctx) })
	group.Go(func() error { return r.runFetching(ctx) })
	return group.Wait()
}

// runIssuing signs this node's list, if it is an anchor, within a second of when it is due.
func (r *revocations) runIssuing(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	told := ""
	for {
		if r.isAnchor() {
			err := r.issue(ctx)
			if err != nil && ctx.Err() == nil && err.Error() != told {
				r.log.Error("this node is an anchor and can't sign its revocation list; others become stale without it", "error", err)
			}
			told = ""
			if err != nil {
				told = err.Error()
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// issue signs the next list if it is due. The database has it before anybody else, and of several processes one signs.
func (r *revocations) issue(ctx context.Context) error {
	known := r.current()
	if known == nil {
		return nil
	}
	issuer := federation.RevocationIssuer{Anchor: r.entity, Ledger: r.members.current(), Interval: r.interval}
	key := r.key()
	if r.issued != nil {
		if next, err := issuer.Next(r.issued, key, r.restored, time.Now()); next == nil {
			return err
		}
	}
	text, err := optionalFact(ctx, r.store, issuedFact)
	if err != nil {
		return err
	}
	if text != "" {
		if r.issued, err = federation.ReadRevocationList(text); err != nil {
			return fmt.Errorf("the list that was signed last is damaged in the database (%s): %w", issuedFact, err)
		}
		r.take(known, r.issued)
	}
	next, err := issuer.Next(r.issued, key, r.restored, time.Now())
	if next == nil {
		return err
	}
	swapped, err := r.store.SwapMeta(ctx, issuedFact, text, next.Compact())
	if err != nil || !swapped { // another process has signed one
		return err
	}
	if r.issued == nil || len(r.issued.Entries) != len(next.Entries) {
		r.log.Info("signed a revocation list", "seq", next.Seq, "entries", len(next.Entries))
	}
	r.issued = next
	r.take(known, next)
	return r.save(ctx, known)
}

// take counts this node's own list.
func (r *revocations) take(known *federation.Revocations, list *federation.RevocationList) {
	if _, err := known.Accept(list.Compact(), time.Now()); err != nil && !errors.Is(err, federation.ErrOldRevocationList) {
		r.log.Error("this node does not accept its own revocation list", "error", err)
	}
	r.learned()
}

// save keeps what is known, together with what other processes of the node have kept.
func (r *revocations) save(ctx context.Context, known *federation.Revocations) error {
	for range 3 {
		text, err := known.Text()
		if err != nil {
			return err
		}
		r.mu.Lock()
		kept := r.kept
		r.mu.Unlock()
		if text == kept {
			return nil
		}
		swapped, err := r.store.SwapMeta(ctx, listsFact, kept, text)
		if err != nil {
			return err
		}
		if !swapped {
			if text, err = optionalFact(ctx, r.store, listsFact); err != nil {
				return err
			}
			if err := known.Merge(text, time.Now()); err != nil {
				return err
			}
			r.learned()
		}
		r.mu.Lock()
		r.kept = text
		r.mu.Unlock()
		if swapped {
			return nil
		}
	}
	return nil // the other processes have what this one has, or the next list comes soon
}
