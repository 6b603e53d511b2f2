package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/jose"
)

// foundingFile is what found and charter propose read.
type foundingFile struct {
	Name     string `json:"name"`
	Founders []struct {
		Entity federation.EntityID `json:"entity"`
		Name   string              `json:"name"`
		keyFile
	} `json:"founders"`
	Anchors []struct {
		Entity federation.EntityID `json:"entity"`
		keyFile
	} `json:"anchors"`
	Rules        *federation.Rules `json:"rules"`
	Requirements []string          `json:"requirements"`
}

// keyFile is a party's public keys: there, or in a file.
type keyFile struct {
	JWKS *jose.KeySet `json:"jwks"`
	File string       `json:"jwks_file"`
}

func (k keyFile) read() (jose.KeySet, error) {
	switch {
	case (k.JWKS == nil) == (k.File == ""):
		return jose.KeySet{}, errors.New("name its keys with one of jwks and jwks_file")
	case k.JWKS != nil:
		return *k.JWKS, nil
	}
	return readKeySet(k.File)
}

func readKeySet(path string) (jose.KeySet, error) {
	text, err := readJWKS(path)
	if err != nil {
		return jose.KeySet{}, err
	}
	return jose.ParseKeySet(text)
}

// charterChange are the flags from which a charter is drawn up.
type charterChange struct {
	file, name          string
	founders, anchors   []string
	withoutFounders     []string
	withoutAnchors      []string
	admission, amending string
}

func (c *charterChange) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.name, "name", "", "name of the federation")
	f.StringArrayVar(&c.founders, "add-founder", nil, "a founder as 'ENTITY,KEYSET-FILE,NAME', with the public half of its vote key; may be repeated")
	f.StringArrayVar(&c.anchors, "add-anchor", nil, "a trust anchor as 'ENTITY,KEYSET-FILE', with the public half of its federation key; may be repeated")
	f.StringVar(&c.admission, "admission", "", `how many founders admit a member ("more than 1/2" unless given)`)
	f.StringVar(&c.amending, "charter-change", "", `how many founders change the charter ("at least 2/3" unless given)`)
}

// apply changes a charter as the flags and the file say.
func (c *charterChange) apply(a *app, charter *federation.Charter) error {
	if c.file != "" {
		if err := c.readFile(a, charter); err != nil {
			return err
		}
	}
	if c.name != "" {
		charter.Name = c.name
	}
	for _, id := range c.withoutFounders {
		if charter.Founder(federation.EntityID(id)) == nil {
			return usagef("--remove-founder %s: the charter has no such founder", id)
		}
		charter.Founders = slices.DeleteFunc(charter.Founders, func(f federation.Founder) bool { return string(f.Entity) == id })
	}
	for _, id := range c.withoutAnchors {
		charter.Anchors = slices.DeleteFunc(charter.Anchors, func(f federation.Anchor) bool { return string(f.Entity) == id })
	}
	for _, text := range c.founders {
		parts := strings.SplitN(text, ",", 3)
		if len(parts) != 3 {
			return usagef("--add-founder %q is not 'ENTITY,KEYSET-FILE,NAME'", text)
		}
		keys, err := readKeySet(parts[1])
		if err != nil {
			return err
		}
		charter.Founders = append(charter.Founders, federation.Founder{Entity: federation.EntityID(parts[0]), Name: strings.TrimSpace(parts[2]), Keys: keys})
	}
	for _, text := range c.anchors {
		id, file, ok := strings.Cut(text, ",")
		if !ok {
			return usagef("--add-anchor %q is not 'ENTITY,KEYSET-FILE'", text)
		}
		keys, err := readKeySet(file)
		if err != nil {
			return err
		}
		charter.Anchors = append(charter.Anchors, federation.Anchor{Entity: federation.EntityID(id), Keys: keys})
	}
	for text, rule := range map[*string]*federation.Threshold{&c.admission: &charter.Rules.Admission, &c.amending: &charter.Rules.CharterChange} {
		if *text == "" {
			continue
		}
		var err error
		if *rule, err = federation.ParseThreshold(*text); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// readFile takes everything that the file says in the place of what the charter said.
func (c *charterChange) readFile(a *app, charter *federation.Charter) error {
	text, err := a.readRecordFile(c.file)
	if err != nil {
		return err
	}
	var f foundingFile
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return fmt.Errorf("%s: %w", c.file, err)
	}
	charter.Name, charter.Requirements = f.Name, f.Requirements
	charter.Founders, charter.Anchors = nil, nil
	if f.Rules != nil {
		charter.Rules = *f.Rules
	}
	for _, p := range f.Founders {
		keys, err := p.read()
		if err != nil {
			return fmt.Errorf("%s: founder %s: %w", c.file, p.Entity, err)
		}
		charter.Founders = append(charter.Founders, federation.Founder{Entity: p.Entity, Name: p.Name, Keys: keys})
	}
	for _, p := range f.Anchors {
		keys, err := p.read()
		if err != nil {
			return fmt.Errorf("%s: anchor %s: %w", c.file, p.Entity, err)
		}
		charter.Anchors = append(charter.Anchors, federation.Anchor{Entity: p.Entity, Keys: keys})
	}
	return nil
}

func (a *app) foundCommand() *cobra.Command {
	var change charterChange
	var out string
	cmd := &cobra.Command{
		Use:   "found [FILE]",
		Short: "Draw up the first charter of a federation",
		Long: `Draw up the first charter of a federation: its founding parties with their vote keys, its trust anchors (the
secretariat's keys) and its rules. Nobody has signed it then: every founder reads it and signs it where its vote key is,
with 'skjold federation charter sign', and 'charter combine' makes the charter of the signatures.

FILE is JSON: {"name": …, "founders": [{"entity": …, "name": …, "jwks_file": …}], "anchors": [{"entity": …, "jwks_file": …}],
"rules": {"admission": "more than 1/2", "suspension": "more than 1/2", "expulsion": "more than 1/2", "charterchange": "at least 2/3"}}.
Flags say the same, and add to it.`,
		Example: `  skjold federation found founders.json --out draft.json
  skjold federation found --name "A shared shield" --add-founder "https://kl.example,kl.jwks,KL" --add-founder "https://danskeregioner.example,dr.jwks,Danske Regioner" --add-anchor https://secretariat.example,anchor.jwks --out draft.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				change.file = args[0]
			}
			charter := &federation.Charter{Version: 1, IssuedAt: time.Now().Unix(), Rules: federation.DefaultRules()}
			if err := change.apply(a, charter); err != nil {
				return err
			}
			return a.deliverDraft(charter, out)
		},
	}
	change.register(cmd)
	cmd.Flags().StringVar(&out, "out", "", "file to write the draft to (standard output unless given)")
	return cmd
}

func (a *app) deliverDraft(charter *federation.Charter, out string) error {
	text, err := charter.Draft()
	if err != nil {
		return err
	}
	return a.deliver(delivery{
		out: out, record: text, facts: map[string]any{"charter": charter.Hash(), "version": charter.Version},
		text: charterWords(charter) + "\nNobody has signed it yet. Each founder: skjold federation charter sign DRAFT --key VOTE-KEY --out SIGNATURE",
	})
}

// charterWords is a charter for people: everything that it says.
func charterWords(c *federation.Charter) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: charter version %d of %s\nhash  %s\nto read out  %s\n", c.Name, c.Version, stamp(time.Unix(c.IssuedAt, 0)), c.Hash(), spoken(string(c.Hash())))
	if c.Previous != "" {
		fmt.Fprintf(&b, "follows  %s\n", c.Previous)
	}
	fmt.Fprintf(&b, "admission: %s of all founders; suspension beyond 72 hours: %s; expulsion: %s; another charter: %s\n",
		c.Rules.Admission, c.Rules.Suspension, c.Rules.Expulsion, c.Rules.CharterChange)
	for _, r := range c.Requirements {
		fmt.Fprintf(&b, "requirement  %s\n", r)
	}
	for _, f := range c.Founders {
		fmt.Fprintf(&b, "founder  %s (%s), vote key %s\n", f.Name, f.Entity, thumbprints(f.Keys))
	}
	for _, x := range c.Anchors {
		fmt.Fprintf(&b, "anchor   %s, key %s\n", x.Entity, thumbprints(x.Keys))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func thumbprints(set jose.KeySet) string {
	var ids []string
	for _, k := range set.Keys() {
		ids = append(ids, k.ID())
	}
	return strings.Join(ids, ", ")
}
