package storetest

import (
	"errors"
	"testing"

	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

var hostileTests = []testCase{
	{"hostile text finds nothing and breaks nothing", testHostileText},
}

// testHostileText uses text that comes from paths, queries, headers and peers without having been checked.
func testHostileText(t *testing.T, f *Fixture) {
	ctx := t.Context()
	c := f.collection(t, "Hostile")
	f.add(t, c, object{n: 1}.make())
	sub := f.subscribe(t, c)
	if _, err := f.Node.AddClient(ctx, store.Client{Name: "tool"}); err != nil {
		t.Fatal(err)
	}
	var items []sync.PulledItem
	for _, text := range []string{"\x00", "a\x00b", "\xff\xfe", "' OR 1=1 --", `"`, "$1", "%", "_", "\u2028", "', 1); DROP TABLE entry; --"} {
		for what, err := range map[string]error{
			"Collection":     second(f.Store.Collection(ctx, text)),
			"FindCollection": second(f.Node.FindCollection(ctx, text)),
			"Status":         second(f.Store.Status(ctx, text, text)),
			"Delete":         second(f.Store.Delete(ctx, taxii.Deletion{Collection: c.ID, ID: stix.Identifier(text)})),
			"Entries":        second(f.Store.Entries(ctx, taxii.Query{Collection: text, Limit: 1})),
			"Meta":           second(f.Node.Meta(ctx, text)),
			"RemoveClient":   f.Node.RemoveClient(ctx, text),
		} {
			if !errors.Is(err, taxii.ErrNotFound) {
				t.Errorf("%s(%q): %v, want ErrNotFound", what, text, err)
			}
		}
		if _, err := f.Node.Account(ctx, text, text); !errors.Is(err, taxii.ErrUnauthenticated) {
			t.Errorf("Account(%q): %v, want ErrUnauthenticated", text, err)
		}
		for _, q := range []taxii.Query{{IDs: []stix.Identifier{stix.Identifier(text)}}, {Types: []string{text}}, {SpecVersions: []string{text}}} {
			q.Collection = c.ID
			if p := f.page(t, q); len(p.Entries) != 0 {
				t.Errorf("%+v found %v", q, names(p.Entries))
			}
		}
		f.Store.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: "tool", Collection: text, Last: 1, UserAgent: text, Error: text})
		if err := f.Node.PullFailed(ctx, sub.ID, f.Clock.Now(), text); err != nil {
			t.Errorf("PullFailed(%q): %v", text, err)
		}
		items = append(items, sync.PulledItem{Item: taxii.Item{ID: text, Version: text, Refused: text}, Raw: []byte(text)})
	}
	for range 2 {
		if got := f.apply(t, sync.PulledPage{Subscription: sub.ID, Items: items}); got.Quarantined != len(items) {
			t.Errorf("Applied = %+v, want %d quarantined", got, len(items))
		}
	}
	rows, err := f.Node.Quarantine(ctx, 100)
	if err != nil || len(rows) != len(items) {
		t.Errorf("the quarantine has %d rows, %v, want %d", len(rows), err, len(items))
	}
	for i, row := range rows {
		if want := string(items[len(items)-1-i].Raw); string(row.Raw) != want {
			t.Errorf("quarantined bytes %q, want %q", row.Raw, want)
		}
	}
	f.Reopen(t)
	if clients, err := f.Node.Clients(ctx); err != nil || clients[0].LastSeen.IsZero() {
		t.Errorf("Clients = %+v, %v", clients, err)
	}
}

// second returns the error of a call.
func second[T any](_ T, err error) error { return err }
