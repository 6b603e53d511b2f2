package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
)

// The rules of what a node keeps of its federation.
const (
	recordRule = "federation records verify"
	listRule   = "revocation lists verify"
)

// verifyFederation reports what does not hold of the records and lists of a node that has pinned a founding charter.
func (a *app) verifyFederation(ctx context.Context, st *store.Store, found func(store.Finding)) error {
	dir := dataDir(a.data)
	cfg, err := a.loadConfig(dir, nil)
	if err != nil || cfg.Federation.Charter == "" {
		return err
	}
	records := federation.RecordDir(dir.records())
	if _, err := records.Records(); err != nil {
		return err
	}
	ledger, err := federation.OpenLedger(federation.Hash(cfg.Federation.Charter), records)
	if err != nil {
		for _, e := range each(err) {
			found(store.Finding{Rule: recordRule, Subject: e.Error()})
		}
		return nil // what follows is checked against them
	}
	if _, err := ledger.Charter(); errors.Is(err, federation.ErrUnknownRecord) {
		return nil // it is joining
	}
	kept, err := optionalFact(ctx, st, listsFact)
	if err != nil {
		return err
	}
	known := federation.NewRevocations(ledger)
	if kept != "" {
		if err := known.Merge(kept, time.Now()); err != nil {
			found(store.Finding{Rule: listRule, Subject: err.Error()})
		}
	}
	return verifyIssued(ctx, st, known.List(federation.EntityID(cfg.Entity)), found)
}

// verifyIssued holds the list that this node signed last against the one that it has published.
func verifyIssued(ctx context.Context, st *store.Store, published *federation.RevocationList, found func(store.Finding)) error {
	text, err := optionalFact(ctx, st, issuedFact)
	if err != nil {
		return err
	}
	var last int64
	if text != "" {
		issued, err := federation.ReadRevocationList(text)
		if err != nil {
			found(store.Finding{Rule: listRule, Subject: "the list that this node signed last: " + err.Error()})
			return nil
		}
		last = issued.Seq
	}
	if published != nil && published.Seq > last {
		found(store.Finding{Rule: listRule, Subject: fmt.Sprintf("this node has published its list %d, and remembers to have signed %d", published.Seq, last)})
	}
	return nil
}

// each are the errors that errors.Join has joined.
func each(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}
