package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
)

func testHosted(t *testing.T, f *Fixture) {
	ctx := t.Context()
	now := f.Clock.Now().Truncate(time.Microsecond).UTC()
	hosted := func(id federation.EntityID, text string, age time.Duration) federation.Hosted {
		return federation.Hosted{Entity: id, Compact: text, IssuedAt: now.Add(-age), Expires: now.Add(24*time.Hour - age), Received: now}
	}
	a, b := hosted("https://a.example", "a.b.c", time.Hour), hosted("https://b.example", "d.e.f", 48*time.Hour)
	for _, h := range []federation.Hosted{b, a, a} {
		if err := f.Node.PutHosted(ctx, h); err != nil {
			t.Fatal(err)
		}
	}
	wantAll := func(want ...federation.Hosted) {
		t.Helper()
		list, err := f.Node.AllHosted(ctx)
		if diff := cmp.Diff(want, list, cmp.Comparer(time.Time.Equal)); err != nil || diff != "" {
			t.Errorf("AllHosted: %v (-want +got):\n%s", err, diff)
		}
	}
	wantAll(a, b)
	if err := f.Node.PutHosted(ctx, hosted(a.Entity, "older", 2*time.Hour)); !errors.Is(err, federation.ErrOlderConfiguration) {
		t.Errorf("PutHosted of an older one: %v, want ErrOlderConfiguration", err)
	}
	newer := hosted(a.Entity, "newer", 0)
	if err := f.Node.PutHosted(ctx, newer); err != nil {
		t.Fatal(err)
	}
	got, err := f.Node.Hosted(ctx, a.Entity)
	if diff := cmp.Diff(newer, got, cmp.Comparer(time.Time.Equal)); err != nil || diff != "" {
		t.Errorf("Hosted: %v (-want +got):\n%s", err, diff)
	}
	if err := f.Node.RemoveHosted(ctx, b.Entity); err != nil {
		t.Fatal(err)
	}
	wantAll(newer)
	_, hostedErr := f.Node.Hosted(ctx, b.Entity)
	for what, err := range map[string]error{"Hosted": hostedErr, "RemoveHosted": f.Node.RemoveHosted(ctx, b.Entity)} {
		if !errors.Is(err, federation.ErrNotHosted) {
			t.Errorf("%s of what was removed: %v, want ErrNotHosted", what, err)
		}
	}
	for _, h := range []federation.Hosted{{Compact: "a.b.c"}, {Entity: "https://a.example"}} {
		if err := f.Node.PutHosted(ctx, h); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("PutHosted of %+v: %v, want ErrInvalid", h, err)
		}
	}
}
