package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
)

func (a *app) charterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "charter", Short: "Show, sign and change the federation's charter",
		Long: `The charter says who founded the federation and votes, with which keys, and by which rules. Its first version is signed
by every founder, each further one under the rules of the one before it. Its hash is what every node's operator pins in
federation.charter, once, and compares with a founder by a way that both trust.`,
		Example: "  skjold federation charter show\n  skjold federation charter sign draft.json --key vote.jwk --out kl.sig\n  skjold federation charter import charter.json",
	}
	cmd.AddCommand(a.charterShowCommand(), a.charterProposeCommand(), a.charterSignCommand(), a.charterCombineCommand(), a.charterImportCommand())
	return cmd
}

// readCharterFile reads a draft or a signed charter.
func (a *app) readCharterFile(path string) (*federation.Charter, *federation.SignedCharter, error) {
	text, err := a.readRecordFile(path)
	if err != nil {
		return nil, nil, err
	}
	if len(text) > 0 && text[0] == '[' {
		s, err := federation.ReadCharter(text)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		return s.Charter, s, nil
	}
	c, err := federation.ReadCharterDraft(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil, nil
}

func (a *app) charterShowCommand() *cobra.Command {
	var pin string
	var onlyHash bool
	cmd := &cobra.Command{
		Use: "show [FILE]", Short: "Show the charter in force, or a draft or charter in a file", Args: cobra.MaximumNArgs(1),
		Example: "  skjold federation charter show\n  skjold federation charter show draft.json      before you sign it",
		RunE: func(_ *cobra.Command, args []string) error {
			var charter *federation.Charter
			var err error
			if len(args) > 0 {
				charter, _, err = a.readCharterFile(args[0])
			} else {
				_, charter, err = a.charterOf(pin)
			}
			if err != nil {
				return err
			}
			switch {
			case onlyHash && !a.json:
				_, err = fmt.Fprintln(a.out, charter.Hash())
			case a.json:
				err = printJSON(a.out, map[string]any{"hash": charter.Hash(), "charter": charter})
			default:
				_, err = fmt.Fprintln(a.out, printableWords(charterWords(charter)))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&onlyHash, "hash", false, "print only its hash")
	a.charterFlag(cmd, &pin)
	return cmd
}

func (a *app) charterProposeCommand() *cobra.Command {
	var pin, out string
	var change charterChange
	cmd := &cobra.Command{
		Use: "propose", Short: "Draw up the next version of the charter",
		Long: `Draw up the next version of the charter from the one in force: add and remove founders and anchors, or change the rules.
It comes into force when as many of the present founders have signed it as the present charter asks for, and then from the
time at which it was drawn up: what is decided under the present charter after that time does not count. Sign it soon, or
draw it up anew.`,
		Example: `  skjold federation charter propose --remove-founder https://kl.example --add-founder "https://kl.example,kl-new.jwks,KL" --out next.json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			ledger, charter, err := a.charterOf(pin)
			if err != nil {
				return err
			}
			next := *charter
			next.Founders = append([]federation.Founder(nil), charter.Founders...)
			next.Anchors = append([]federation.Anchor(nil), charter.Anchors...)
			next.Version, next.Previous = charter.Version+1, charter.Hash()
			next.IssuedAt = max(time.Now().Unix(), charter.IssuedAt)
			for _, d := range ledger.Decisions() { // what is decided already stays so
				next.IssuedAt = max(next.IssuedAt, d.At.Unix()+1)
			}
			if err := change.apply(a, &next); err != nil {
				return err
			}
			return a.deliverDraft(&next, out)
		},
	}
	change.register(cmd)
	cmd.Flags().StringVar(&change.file, "file", "", "JSON file as of 'skjold federation found', in the place of the present founders, anchors and name")
	cmd.Flags().StringArrayVar(&change.withoutFounders, "remove-founder", nil, "entity of a founder that the next charter does not have; may be repeated")
	cmd.Flags().StringArrayVar(&change.withoutAnchors, "remove-anchor", nil, "entity of an anchor that the next charter does not have; may be repeated")
	cmd.Flags().StringVar(&out, "out", "", "file to write the draft to (standard output unless given)")
	a.charterFlag(cmd, &pin)
	return cmd
}

func (a *app) charterSignCommand() *cobra.Command {
	var keyFile, out string
	cmd := &cobra.Command{
		Use: "sign DRAFT", Short: "Sign a charter with a founder's vote key; no network and no node are needed", Args: cobra.ExactArgs(1),
		Example: "  skjold federation charter show draft.json\n  skjold federation charter sign draft.json --key vote.jwk --out kl.sig",
		RunE: func(_ *cobra.Command, args []string) error {
			charter, _, err := a.readCharterFile(args[0])
			if err != nil {
				return err
			}
			key, err := a.loadVoteKey(keyFile)
			if err != nil {
				return err
			}
			who := "a founder of the version before"
			if f := charter.Owner(key.ID()); f != nil {
				who = f.Name
			} else if charter.Version == 1 {
				return fmt.Errorf("the key %s is the vote key of no founder in this charter", key.ID())
			}
			signature, err := federation.SignCharter(charter, key)
			if err != nil {
				return err
			}
			return a.deliver(delivery{
				out: out, record: []byte(signature), facts: map[string]any{"charter": charter.Hash(), "thumbprint": key.ID()},
				text: charterWords(charter) + fmt.Sprintf("\nSigned as %s with the key %s. Whoever has all signatures: skjold federation charter combine SIGNATURE...", who, key.ID()),
			})
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "the founder's vote key (keys/vote.jwk of --data unless given)")
	cmd.Flags().StringVar(&out, "out", "", "file to write the signature to (standard output unless given)")
	return cmd
}

func (a *app) charterCombineCommand() *cobra.Command {
	var pin, out string
	cmd := &cobra.Command{
		Use: "combine SIGNATURE...", Short: "Make the charter of the founders' signatures", Args: cobra.MinimumNArgs(1),
		Example: "  skjold federation charter combine kl.sig regions.sig state.sig --out charter.json",
		RunE: func(_ *cobra.Command, args []string) error {
			var signatures []string
			for _, path := range args {
				signature, err := a.readToken(path, "signature of a charter")
				if err != nil {
					return err
				}
				signatures = append(signatures, signature)
			}
			text, err := json.Marshal(signatures)
			if err != nil {
				return err
			}
			s, err := federation.ReadCharter(text)
			if err != nil {
				return err
			}
			var previous *federation.Charter
			if s.Charter.Version > 1 {
				if _, previous, err = a.charterOf(pin); err != nil {
					return err
				}
			}
			if err := s.Check(previous); err != nil {
				return err
			}
			record, err := s.Record()
			if err != nil {
				return err
			}
			return a.deliver(delivery{
				out: out, record: record, facts: map[string]any{"charter": s.Charter.Hash(), "version": s.Charter.Version, "signatures": len(s.Signatures)},
				text: charterWords(s.Charter) + fmt.Sprintf("\nIn force with %d signatures. %s", len(s.Signatures), afterCharter(s.Charter)),
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file to write the charter to (standard output unless given)")
	a.charterFlag(cmd, &pin)
	return cmd
}

func (a *app) charterImportCommand() *cobra.Command {
	var pin string
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Take a charter into the records of this node", Args: cobra.ExactArgs(1),
		Long: `Take a charter into the records of this node. The first must be the one whose hash is pinned in federation.charter; a
further one must be signed under the rules of the one before it.`,
		Example: "  skjold federation charter import charter.json",
		RunE: func(_ *cobra.Command, args []string) error {
			charter, signed, err := a.readCharterFile(args[0])
			if err != nil {
				return err
			}
			if signed == nil {
				return fmt.Errorf("%s is a draft that nobody has signed; 'skjold federation charter sign' signs it", args[0])
			}
			ledger, err := a.openLedger(pin)
			if err != nil {
				return errors.Join(err, fmt.Errorf("this charter has the hash %s", charter.Hash()))
			}
			record, err := a.readRecordFile(args[0])
			if err != nil {
				return err
			}
			hash, err := ledger.Add(record)
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, map[string]any{"charter": charter.Hash(), "version": charter.Version, "record": hash})
			}
			if contested := ledger.Contested(); len(contested) > 0 {
				fmt.Fprintf(a.err, "warning: founders have signed two charters of one version (%s); neither is followed\n", strings.Join(hashes(contested), ", "))
			}
			fmt.Fprintf(a.out, "Charter version %d of %s is in the records\n", charter.Version, printable(charter.Name))
			if a.unpinned() {
				fmt.Fprintf(a.out, "The node does not know yet which federation is its own: skjold config set federation.charter=%s --data %s\n", ledger.Founding(), a.data)
			}
			return nil
		},
	}
	a.charterFlag(cmd, &pin)
	return cmd
}

// afterCharter says what every node does with a charter.
func afterCharter(c *federation.Charter) string {
	take := "Each node: skjold federation charter import FILE"
	if c.Version > 1 {
		return take + ". The hash that is pinned stays that of version 1."
	}
	return fmt.Sprintf("Each node pins it, once, and takes it:\n  skjold config set federation.charter=%s\n  skjold federation charter import FILE", c.Hash())
}

// unpinned tells whether the data directory is a node whose configuration names no charter, so that it would not know of
// its federation when it runs.
func (a *app) unpinned() bool {
	dir := dataDir(a.data)
	if node, err := dir.initialised(); err != nil || !node {
		return false
	}
	cfg, err := a.loadConfig(dir, nil)
	return err == nil && cfg.Federation.Charter == ""
}

func hashes(list []federation.Hash) []string {
	texts := make([]string, len(list))
	for i, h := range list {
		texts[i] = string(h)
	}
	return texts
}
