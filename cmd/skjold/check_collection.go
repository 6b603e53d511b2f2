package main

import (
	"context"
	"fmt"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// A page of a collection that is checked: few enough entries and bytes to hold in memory.
const (
	checkPage      = 1000
	checkPageBytes = 8 << 20
)

// checkCollection checks what a collection of the node holds, every version of every object in the order of date_added,
// as files are checked; the index counts the entries. What is added meanwhile is left out.
func (a *app) checkCollection(ctx context.Context, ref string, quiet bool) error {
	cfg, err := a.loadConfig(dataDir(a.data), nil)
	if err != nil {
		return err
	}
	check := checkObject(cfg)
	return a.withStore(ctx, func(ctx context.Context, st *store.Store) error {
		c, err := findCollection(ctx, st, ref)
		if err != nil {
			return err
		}
		k := checker{app: a, quiet: quiet}
		bar := newProgress(a.err, c.Objects, false, "checking")
		q := taxii.Query{Collection: c.ID, Limit: checkPage, MaxBytes: checkPageBytes, Version: taxii.VersionMatch{All: true}, Bytes: true}
		for {
			page, err := st.Entries(ctx, q)
			if err != nil {
				return err
			}
			for _, e := range page.Entries {
				if e.DateAdded > c.Last {
					page.More = false
					break
				}
				_, report := check(e.Raw)
				if err := k.object(c.Title, entryJSON(k.objects, e.ID, e.Version), report); err != nil {
					return err
				}
				q.After = e.DateAdded
			}
			bar.add(len(page.Entries))
			if !page.More {
				bar.done()
				return k.finish()
			}
		}
	})
}

// listRecorded lists what was recorded of the objects that a collection took although they break rules, in the form of a
// check. It reads neither the objects nor the other entries.
func (a *app) listRecorded(ctx context.Context, ref string) error {
	return a.withStore(ctx, func(ctx context.Context, st *store.Store) error {
		c, err := findCollection(ctx, st, ref)
		if err != nil {
			return err
		}
		k := checker{app: a}
		for after := taxii.DateAdded(0); ; {
			page, err := st.Violations(ctx, c.ID, after, checkPage)
			if err != nil {
				return err
			}
			for _, e := range page {
				if err := k.object(c.Title, entryJSON(k.objects, e.ID, e.Version), stix.Report{Errors: e.Violations}); err != nil {
					return err
				}
				after = e.DateAdded
			}
			if len(page) < checkPage {
				break
			}
		}
		if !k.json {
			fmt.Fprintf(k.out, "%d of %d object versions were stored although they break rules (%s recorded)\n", k.objects, c.Objects, counted(k.errors, "error"))
		}
		if k.bad > 0 {
			return errSilent
		}
		return nil
	})
}

// entryJSON names an entry in the output of check.
func entryJSON(index int, id stix.Identifier, version string) checkJSON {
	return checkJSON{Index: index, ID: string(id), Version: version, Type: id.Type()}
}
