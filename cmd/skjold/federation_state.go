package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
)

// ownStateJSON is what an operator asks about the node's part in the federation.
type ownStateJSON struct {
	// State is normal, stale or isolated; "pinned" where no founding charter is pinned and so only pinned peers count.
	State string `json:"state"`
	// Means says it in words.
	Means string `json:"means"`
	Since string `json:"since,omitempty"`
	// Lists are the revocation lists of the anchors.
	Lists []ownListJSON `json:"lists"`
	Chain *ownChainJSON `json:"chain,omitempty"`
	Keys  []ownKeyJSON  `json:"keys"`
}

type ownListJSON struct {
	Anchor     federation.EntityID `json:"anchor"`
	Own        bool                `json:"own,omitempty"` // signed here
	Seq        int64               `json:"seq,omitempty"`
	Issued     string              `json:"issued,omitempty"`
	FreshUntil string              `json:"fresh_until,omitempty"`
	Revoked    int                 `json:"revoked"`           // entries
	From       federation.EntityID `json:"from,omitempty"`    // who had it last
	Fetched    string              `json:"fetched,omitempty"` // when it was last asked for with success
	Error      string              `json:"error,omitempty"`
}

type ownChainJSON struct {
	Superiors []string `json:"superiors"` // as configured
	Until     string   `json:"until,omitempty"`
	Path      []string `json:"path,omitempty"`
	Error     string   `json:"error,omitempty"`
}

type ownKeyJSON struct {
	Use        federation.KeyUse `json:"use"`
	Thumbprint string            `json:"thumbprint"`
	From       string            `json:"from"`
	// Next is the thumbprint of the key that is published already, and signs from NextFrom on.
	Next     string `json:"next,omitempty"`
	NextFrom string `json:"next_from,omitempty"`
	// Due is when the next one is made, by itself or, where ByHand, by 'federation keys rotate'.
	Due    string `json:"due,omitempty"`
	ByHand bool   `json:"by_hand,omitempty"`
}

// ownState finds out what holds now from what the node has noted.
func (a *app) ownState(ctx context.Context, st *store.Store) (ownStateJSON, error) {
	dir := dataDir(a.data)
	cfg, err := a.loadConfig(dir, nil)
	if err != nil {
		return ownStateJSON{}, err
	}
	told := ownStateJSON{State: "pinned", Means: "no founding charter is pinned (federation.charter): this node knows the peers that its operator has pinned, and no others", Lists: []ownListJSON{}}
	now := time.Now()
	if told.Keys, err = ownKeys(dir, cfg, now); err != nil {
		return told, err
	}
	if !cfg.Federation.Enabled {
		told.State, told.Means = "off", "federation is off (federation.enabled)"
		return told, nil
	}
	if cfg.Federation.Charter == "" {
		return told, nil
	}
	noted, err := readNoted(ctx, st)
	if err != nil {
		return told, err
	}
	ledger, charter, err := a.charterOf("")
	if err != nil {
		told.State, told.Means = string(federation.Isolated), "isolated: "+err.Error()
		return told, nil
	}
	anchor := slices.ContainsFunc(charter.Anchors, func(c federation.Anchor) bool { return string(c.Entity) == cfg.Entity })
	h := federation.Health{ChainUntil: noEnd}
	if len(cfg.Federation.Superiors) > 0 && !anchor {
		if !noted.ChainUntil.IsZero() {
			h.ChainUntil = noted.ChainUntil
		}
		told.Chain = ownChain(dir, cfg, noted, now)
	}
	known, err := knownLists(ctx, st, ledger, now)
	if err != nil {
		return told, err
	}
	if list := known.Freshest(); list != nil {
		h.ListFreshUntil, h.ListLeeway = time.Unix(list.Expires, 0), list.Leeway()
	}
	for _, c := range charter.Anchors {
		told.Lists = append(told.Lists, ownList(c.Entity, cfg.Entity, known.List(c.Entity), noted.Lists[c.Entity]))
	}
	state := h.State(now)
	told.State, told.Means = string(state), h.Sentence(now)
	since := h.Since(now)
	if state == noted.State {
		since = noted.Since
	}
	told.Since = jsonTime(since)
	return told, nil
}

func readNoted(ctx context.Context, st *store.Store) (noted notedState, err error) {
	text, err := optionalFact(ctx, st, stateFact)
	if err != nil || text == "" {
		return noted, err
	}
	if err := json.Unmarshal([]byte(text), &noted); err != nil {
		return noted, fmt.Errorf("the state of the federation in the database (%s): %w", stateFact, err)
	}
	return noted, nil
}

// knownLists are the revocation lists that the node has kept.
func knownLists(ctx context.Context, st *store.Store, ledger *federation.Ledger, now time.Time) (*federation.Revocations, error) {
	known := federation.NewRevocations(ledger)
	text, err := optionalFact(ctx, st, listsFact)
	if err != nil || text == "" {
		return known, err
	}
	return known, known.Merge(text, now)
}

func ownList(anchor federation.EntityID, self string, list *federation.RevocationList, f fetchedList) ownListJSON {
	l := ownListJSON{Anchor: anchor, Own: string(anchor) == self, From: f.From, Fetched: jsonTime(f.At), Error: f.Error}
	if list != nil {
		l.Seq, l.Issued, l.FreshUntil, l.Revoked = list.Seq, jsonTime(time.Unix(list.IssuedAt, 0)), jsonTime(time.Unix(list.Expires, 0)), len(list.Entries)
	}
	return l
}

// ownChain is the node's own trust chain as it is kept for the next start.
func ownChain(dir dataDir, cfg *config.Config, noted notedState, now time.Time) *ownChainJSON {
	c := &ownChainJSON{Superiors: cfg.Federation.Superiors, Error: noted.ChainError}
	if noted.ChainUntil.After(now) {
		c.Until = jsonTime(noted.ChainUntil)
	} else {
		c.Error = cmp.Or(c.Error, "no trust chain of this node holds")
	}
	text, err := os.ReadFile(filepath.Join(string(dir), "federation", "chain.json"))
	if err != nil {
		return c
	}
	statements, err := federation.ParseTrustChain(text)
	if err != nil {
		return c
	}
	for _, s := range statements {
		if issuer := federation.IssuerOf(s); issuer != "" && !slices.Contains(c.Path, string(issuer)) {
			c.Path = append(c.Path, string(issuer))
		}
	}
	return c
}

// ownKeys tell which keys sign, and when they are renewed.
func ownKeys(dir dataDir, cfg *config.Config, now time.Time) ([]ownKeyJSON, error) {
	ring, err := federation.OpenKeyRing(dir.keys())
	if err != nil {
		return nil, err
	}
	var list []ownKeyJSON
	for _, use := range []federation.KeyUse{federation.FederationKey, federation.RequestKey} {
		k := ownKeyJSON{Use: use, ByHand: use == federation.FederationKey || !rotatesByItself(cfg)}
		for _, key := range ring.All(use) {
			switch ring.Stage(key, now) {
			case federation.CurrentKey:
				k.Thumbprint, k.From = key.ID(), jsonTime(key.From)
			case federation.NextKey:
				k.Next, k.NextFrom = key.ID(), jsonTime(key.From)
			}
		}
		if k.Next == "" {
			k.Due = jsonTime(ring.Due(use, now))
		}
		list = append(list, k)
	}
	return list, nil
}

// print is for people.
func (o ownStateJSON) print(w io.Writer, running bool) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := func(name, text string) { fmt.Fprintf(tw, "%s\t%s\n", name, printable(text)) }
	means := o.Means
	if o.Since != "" {
		means += " (since " + wordsOf(o.Since) + ")"
	}
	line("federation", means)
	if !running {
		line("", "the node is not running: this is what it noted last, as it counts now")
	}
	for _, l := range o.Lists {
		line("list", l.words())
		if l.Error != "" {
			line("", "not fetched: "+oneLine(l.Error))
		}
	}
	if c := o.Chain; c != nil {
		switch {
		case c.Until != "":
			line("own chain", fmt.Sprintf("%s, until %s; renewed by itself", strings.Join(c.Path, " -> "), wordsOf(c.Until)))
		default:
			line("own chain", "none holds; asked: "+strings.Join(c.Superiors, ", "))
		}
		if c.Error != "" {
			line("", "last search: "+oneLine(c.Error))
		}
	}
	for _, k := range o.Keys {
		line(string(k.Use)+" key", k.words())
	}
	fmt.Fprintln(tw)
	return tw.Flush()
}

func (l ownListJSON) words() string {
	if l.Seq == 0 {
		return fmt.Sprintf("of %s: none yet", l.Anchor)
	}
	text := fmt.Sprintf("of %s: number %d of %s, fresh until %s, %s", l.Anchor, l.Seq, wordsOf(l.Issued), wordsOf(l.FreshUntil), counted(l.Revoked, "revocation"))
	switch {
	case l.Own:
		text += "; signed here"
	case l.From != "" && l.From != l.Anchor:
		text += "; from " + string(l.From)
	}
	return text
}

func (k ownKeyJSON) words() string {
	text := fmt.Sprintf("%s since %s", k.Thumbprint, wordsOf(k.From))
	command := "skjold federation keys rotate"
	if k.Use == federation.RequestKey {
		command += " --request"
	}
	switch {
	case k.Next != "":
		text += fmt.Sprintf("; %s is published and signs from %s on", k.Next, wordsOf(k.NextFrom))
	case k.Due != "" && k.ByHand:
		text += fmt.Sprintf("; the next is due on %s: %s", wordsOf(k.Due), command)
	case k.Due != "":
		text += fmt.Sprintf("; the next is made by itself on %s", wordsOf(k.Due))
	}
	return text
}

// wordsOf is a time of jsonTime for people.
func wordsOf(text string) string {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// oneLine joins the lines of an error.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "; ") }
