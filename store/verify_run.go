package store

import (
	"context"
	"fmt"
	"slices"
)

// maxFindings bounds what is told of one rule.
const maxFindings = 10

// Finding is something that does not hold of a store and must.
type Finding struct {
	Rule    string // what must hold, as a clause: "an entry is …"
	Subject string // what breaks it: a collection's title, an object, an account …; "and more" after many
}

// String says it in a sentence.
func (f Finding) String() string {
	return fmt.Sprintf("%s: this must hold and does not: %s.", f.Subject, f.Rule)
}

// VerifyOptions say how a store is examined.
type VerifyOptions struct {
	// Progress, if set, is called as entries are read.
	Progress func(entries int)
	// Quick leaves out what reads every entry's bytes and the whole database file.
	Quick bool
}

// Examine checks everything that must hold in a store, on one snapshot, beside other users of the store, and calls found
// for what does not, at most some times for each rule. Memory does not grow with the store. It reads all of it.
func (s *Store) Examine(ctx context.Context, o VerifyOptions, found func(Finding)) error {
	return s.snapshot(ctx, func(c conn) error {
		x := &examination{store: s, ctx: ctx, conn: c, progress: orIdle(o.Progress), found: found, told: make(map[string]int)}
		if !o.Quick {
			if err := s.engine.Integrity(c, func(problem string) { x.tell(wholeRule, problem) }); err != nil {
				return err
			}
		}
		for _, rule := range slices.Concat(invariants, moreInvariants) {
			if err := x.query(rule.rule, rule.sql); err != nil {
				return err
			}
		}
		for _, step := range []func() error{x.schema, x.markingSets, x.statuses} {
			if err := step(); err != nil {
				return err
			}
		}
		if o.Quick {
			return nil
		}
		if err := x.quarantine(); err != nil {
			return err
		}
		return x.entries()
	})
}

// Verify is Examine with its findings as sentences.
func (s *Store) Verify(ctx context.Context) ([]string, error) {
	var findings []string
	err := s.Examine(ctx, VerifyOptions{}, func(f Finding) { findings = append(findings, f.String()) })
	return findings, err
}

// examination is one run of Examine.
type examination struct {
	store    *Store
	ctx      context.Context // of this run alone
	conn     conn
	progress func(int)
	found    func(Finding)
	told     map[string]int // by rule
}

func (x *examination) tell(rule, subject string) {
	x.told[rule]++
	switch n := x.told[rule]; {
	case n <= maxFindings:
		x.found(Finding{Rule: rule, Subject: subject})
	case n == maxFindings+1:
		x.found(Finding{Rule: rule, Subject: "and more"})
	}
}

// query tells what an invariant's statement returns.
func (x *examination) query(rule, sql string) error {
	n := 0
	err := x.conn.Query(sql, nil, func(r row) error {
		x.tell(rule, r.Text(0))
		if n++; n > maxFindings {
			return errStop
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("checking that %s: %w", rule, err)
	}
	return nil
}
