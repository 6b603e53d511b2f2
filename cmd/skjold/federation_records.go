package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
)

func (a *app) recordsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "records", Short: "List, import and export the signed records that membership follows from",
		Long: `The records - charters, decisions, lists of classes, suspensions, key rotations - are kept in federation/records of the
data directory, each named by its SHA-256. Nothing is taken that the founders have not signed: it does not matter who brings
a record, nor in what order.`,
		Example: "  skjold federation records list\n  skjold federation records import records/",
	}
	cmd.AddCommand(a.recordsListCommand(), a.recordsImportCommand(), a.recordsExportCommand(), a.recordsHashCommand())
	return cmd
}

func (a *app) recordsListCommand() *cobra.Command {
	var pin string
	cmd := &cobra.Command{
		Use: "list", Short: "List the records", Args: cobra.NoArgs, Example: "  skjold federation records list --json",
		RunE: func(*cobra.Command, []string) error {
			ledger, err := a.openLedger(pin)
			if err != nil {
				return err
			}
			type recordJSON struct {
				Hash federation.Hash `json:"hash"`
				Kind string          `json:"kind"`
				Size int             `json:"size"`
			}
			list := []recordJSON{}
			t := table{head: []string{"RECORD", "KIND", "BYTES"}}
			for _, h := range ledger.Hashes() {
				record, err := ledger.Record(h)
				if err != nil {
					return err
				}
				kind := federation.RecordKind(record)
				list = append(list, recordJSON{h, kind, len(record)})
				t.row(string(h), kind, fmt.Sprint(len(record)))
			}
			if a.json {
				return printJSON(a.out, list)
			}
			return t.print(a.out)
		},
	}
	a.charterFlag(cmd, &pin)
	return cmd
}

func (a *app) recordsHashCommand() *cobra.Command {
	return &cobra.Command{
		Use: "hash FILE", Short: "Print the hash of a record in a file: its address, and what statements name", Args: cobra.ExactArgs(1),
		Example: "  skjold federation records hash koege.decision",
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := a.readRecordFile(args[0])
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, map[string]federation.Hash{"hash": federation.HashOf(text)})
			}
			_, err = fmt.Fprintln(a.out, federation.HashOf(text))
			return err
		},
	}
}

func (a *app) recordsImportCommand() *cobra.Command {
	var pin string
	cmd := &cobra.Command{
		Use: "import FILE|DIRECTORY...", Short: "Check records and keep them", Args: cobra.MinimumNArgs(1),
		Long: `Check records and keep them: files with one record each, or directories such as 'skjold federation records export' makes.
Their order does not matter.`,
		Example: "  skjold federation records import koege.decision\n  skjold federation records import records/",
		RunE: func(_ *cobra.Command, args []string) error {
			ledger, err := a.openLedger(pin)
			if err != nil {
				return err
			}
			records, err := a.readRecords(args)
			if err != nil {
				return err
			}
			before := len(ledger.Hashes())
			bar := newProgress(a.err, int64(len(records)), false, "checking records")
			defer bar.done()
			if err := addRecords(ledger, records, bar); err != nil {
				return err
			}
			added := len(ledger.Hashes()) - before
			if a.json {
				return printJSON(a.out, map[string]int{"read": len(records), "added": added})
			}
			fmt.Fprintf(a.out, "Read %d records, %d of them new\n", len(records), added)
			if a.unpinned() {
				fmt.Fprintf(a.out, "The node does not know yet which federation is its own: skjold config set federation.charter=%s --data %s\n", ledger.Founding(), a.data)
			}
			return nil
		},
	}
	a.charterFlag(cmd, &pin)
	return cmd
}

// recordFile is a record and where it was read.
type recordFile struct {
	name string
	text []byte
}

func (a *app) readRecords(paths []string) ([]recordFile, error) {
	var list []recordFile
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			files = nil
			entries, err := os.ReadDir(path)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if e.Type().IsRegular() && e.Name()[0] != '.' {
					files = append(files, filepath.Join(path, e.Name()))
				}
			}
		}
		for _, file := range files {
			text, err := a.readRecordFile(file)
			if err != nil {
				return nil, err
			}
			list = append(list, recordFile{file, text})
		}
	}
	return list, nil
}

// addRecords adds records in whatever order they verify: one may need another that comes after it.
func addRecords(ledger *federation.Ledger, records []recordFile, bar progress) error {
	for len(records) > 0 {
		var failed error
		waiting := slices.DeleteFunc(slices.Clone(records), func(r recordFile) bool {
			_, err := ledger.Add(r.text)
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", r.name, err))
				return false
			}
			bar.add(1)
			return true
		})
		if len(waiting) == len(records) {
			return failed
		}
		records = waiting
	}
	return nil
}

func (a *app) recordsExportCommand() *cobra.Command {
	var pin string
	cmd := &cobra.Command{
		Use: "export DIRECTORY", Short: "Write all records to a directory, for another node to import", Args: cobra.ExactArgs(1),
		Example: "  skjold federation records export records/",
		RunE: func(_ *cobra.Command, args []string) error {
			ledger, err := a.openLedger(pin)
			if err != nil {
				return err
			}
			if err := os.Mkdir(args[0], 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			hashes := ledger.Hashes()
			for _, h := range hashes {
				record, err := ledger.Record(h)
				if err != nil {
					return err
				}
				if err := federation.RecordDir(args[0]).Put(h, record); err != nil {
					return err
				}
			}
			if a.json {
				return printJSON(a.out, map[string]any{"directory": args[0], "records": len(hashes)})
			}
			_, err = fmt.Fprintf(a.out, "Wrote %d records to %s\n", len(hashes), args[0])
			return err
		},
	}
	a.charterFlag(cmd, &pin)
	return cmd
}

func (a *app) statementCommand() *cobra.Command {
	var pin, admission, orgID, jwks, out string
	cmd := &cobra.Command{
		Use:   "statement ENTITY",
		Short: "Sign, as its superior, the statement about an admitted member",
		Long: `Sign, as the hub or anchor that the founders named, the subordinate statement (OpenID Federation 1.0 §3.1.3) about an
admitted member: valid for 24 hours, with the decision that admitted it. It is refused for whom the founders did not admit.
A member of a class is named by --org-id, which must be in the list, and --admission, the class's decision.

The keys are kept: from now on the running node issues the statement by itself and renews it ('skjold federation stated').`,
		Example: "  skjold federation statement https://skjold.koege.example --jwks koege.jwks --out koege.statement",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			subject, err := federation.ParseEntityID(args[0])
			if err != nil {
				return usageError{err}
			}
			if jwks == "" {
				return usagef("name the member's federation keys with --jwks FILE ('skjold federation keys public keys/federation.jwk' there)")
			}
			cfg, ring, err := a.identity()
			if err != nil {
				return err
			}
			ledger, err := a.openLedger(pin)
			if err != nil {
				return err
			}
			now := time.Now()
			if m := ledger.Member(subject, now); m.Admission != nil && admission == "" {
				admission, orgID = string(m.Admission.Hash), m.Admission.Nomination.OrgID
			}
			set, err := readKeySet(jwks)
			if err != nil {
				return err
			}
			s := federation.AdmittedStatement(federation.EntityID(cfg.Entity), subject, set, orgID, federation.Hash(admission))
			if err := ledger.CheckAdmission(s.Issuer, &s, now); err != nil {
				return fmt.Errorf("%s is not signed: %w", subject, err)
			}
			compact, err := s.Sign(ring.Keys(now).Federation, now)
			if err != nil {
				return err
			}
			err = a.withStore(cmd.Context(), func(ctx context.Context, st *store.Store) error {
				return vouch(ctx, st, federation.Vouched{Entity: subject, OrgID: orgID, Admission: federation.Hash(admission), Keys: set})
			})
			if err != nil {
				return err
			}
			return a.deliver(delivery{
				out: out, record: []byte(compact), facts: map[string]any{"iss": s.Issuer, "sub": subject, "admission": admission},
				text: fmt.Sprintf("%s states that %s (%s) is admitted by decision %s. It holds for 24 hours, and the running node renews it.", s.Issuer, subject, orgID, admission),
			})
		},
	}
	cmd.Flags().StringVar(&jwks, "jwks", "", "file with the member's federation keys")
	cmd.Flags().StringVar(&admission, "admission", "", "hash of the decision that admitted it (known for a member that was admitted by name)")
	cmd.Flags().StringVar(&orgID, "org-id", "", "legal identity, of a member of a class")
	cmd.Flags().StringVar(&out, "out", "", "file to write the statement to (standard output unless given)")
	a.charterFlag(cmd, &pin)
	return cmd
}
