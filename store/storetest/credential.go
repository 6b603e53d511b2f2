package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

var credentialTests = []testCase{
	{"an account ends when it expires", testExpires},
	{"a password logs in until it is changed", testPassword},
	{"passwords that break the rules are refused", testPasswordRules},
	{"a certificate logs in for one account", testCertificates},
	{"what an account may ask for goes with it", testRates},
}

// wantLogin expects that a name and a key or password are accepted, or refused as unauthenticated.
func (f *Fixture) wantLogin(t *testing.T, when, name, key string, accepted bool) {
	t.Helper()
	p, err := f.Node.Account(t.Context(), name, key)
	switch {
	case accepted && (err != nil || p.Name != name):
		t.Errorf("%s: %+v, %v, want the account", when, p, err)
	case !accepted && (p != nil || !errors.Is(err, taxii.ErrUnauthenticated)):
		t.Errorf("%s: %+v, %v, want ErrUnauthenticated", when, p, err)
	case err != nil && strings.Contains(err.Error(), key):
		t.Errorf("%s: the error tells the secret", when)
	}
}

func testExpires(t *testing.T, f *Fixture) {
	ctx := t.Context()
	tool := store.Client{Name: "tool", Expires: f.Clock.Now().Add(time.Hour)}
	key, err := f.Node.AddClient(ctx, tool)
	if err != nil {
		t.Fatal(err)
	}
	f.Clock.Add(time.Hour - time.Microsecond)
	f.wantLogin(t, "just before the end", "tool", key, true)
	f.Clock.Add(time.Microsecond)
	f.wantLogin(t, "at the end", "tool", key, false)
	clients, err := f.Node.Clients(ctx)
	if err != nil || len(clients) != 1 || !clients[0].Ended(f.Clock.Now()) || !clients[0].Expires.Equal(tool.Expires) {
		t.Errorf("Clients = %+v, %v", clients, err)
	}
	tool.Expires = time.Time{}
	if err := f.Node.SetClient(ctx, tool); err != nil {
		t.Fatal(err)
	}
	f.Reopen(t)
	f.Clock.Add(1e6 * time.Hour)
	f.wantLogin(t, "without an end", "tool", key, true)
}

func testPassword(t *testing.T, f *Fixture) {
	ctx := t.Context()
	const first, second = "correct horse battery", "another long sentence"
	c := f.collection(t, "C")
	portal := store.Client{Name: "portal", Rights: map[string]taxii.Rights{c.ID: {Read: true}}}
	if err := f.Node.AddClientWithPassword(ctx, portal, first); err != nil {
		t.Fatal(err)
	}
	if err := f.Node.AddClientWithPassword(ctx, portal, first); !errors.Is(err, store.ErrExists) {
		t.Errorf("adding it twice: %v, want ErrExists", err)
	}
	f.Reopen(t)
	want := &taxii.Principal{Kind: taxii.ClientAccount, Name: "portal", Rights: portal.Rights}
	got, err := f.Node.Account(ctx, "portal", first)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("Account: %v (-want +got):\n%s", err, diff)
	}
	f.wantLogin(t, "a wrong password", "portal", second, false)
	f.wantLogin(t, "a password without a name", "", first, false)
	f.wantLogin(t, "a name that is not there", "nobody", first, false)
	f.wantLogin(t, "another spelling of the name", "Portal", first, false)

	// What is remembered of a right password ends with the password, the account, and its rights.
	portal.Disabled, portal.Rights = true, nil
	if err := f.Node.SetClient(ctx, portal); err != nil {
		t.Fatal(err)
	}
	f.wantLogin(t, "a disabled account", "portal", first, false)
	portal.Disabled = false
	if err := errors.Join(f.Node.SetClient(ctx, portal), f.Node.SetPassword(ctx, "portal", second)); err != nil {
		t.Fatal(err)
	}
	f.wantLogin(t, "the old password", "portal", first, false)
	f.wantLogin(t, "the new password", "portal", second, true)
	if p, err := f.Node.Account(ctx, "portal", second); err != nil || len(p.Rights) != 0 {
		t.Errorf("the rights are %v, %v: those of before", p, err)
	}

	// A key beside it: each has its own life.
	key, err := f.Node.RotateClient(ctx, "portal", 0)
	if err != nil {
		t.Fatal(err)
	}
	f.wantLogin(t, "a key beside the password", "portal", key, true)
	f.wantLogin(t, "the password beside a key", "portal", second, true)
	if clients, err := f.Node.Clients(ctx); err != nil || !clients[0].HasPassword {
		t.Errorf("Clients = %+v, %v", clients, err)
	}
	if err := f.Node.SetPassword(ctx, "portal", ""); err != nil {
		t.Fatal(err)
	}
	f.wantLogin(t, "a password that was taken away", "portal", second, false)
	f.wantLogin(t, "the key that stays", "portal", key, true)
	if clients, err := f.Node.Clients(ctx); err != nil || clients[0].HasPassword {
		t.Errorf("Clients = %+v, %v", clients, err)
	}
	if err := f.Node.SetPassword(ctx, "nobody", second); !errors.Is(err, taxii.ErrNotFound) {
		t.Errorf("SetPassword(nobody): %v, want ErrNotFound", err)
	}
}

func testPasswordRules(t *testing.T, f *Fixture) {
	ctx := t.Context()
	if _, err := f.Node.AddClient(ctx, store.Client{Name: "tool"}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"short", strings.Repeat("x", 513), "twelve\nletters", "bad \xff UTF-8 text", "skj_looks-like-a-key"} {
		if err := f.Node.SetPassword(ctx, "tool", bad); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("SetPassword(%q): %v, want ErrInvalid", bad, err)
		}
		if err := f.Node.AddClientWithPassword(ctx, store.Client{Name: "other"}, bad); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("AddClientWithPassword(%q): %v, want ErrInvalid", bad, err)
		}
	}
	if err := f.Node.SetPassword(ctx, "tool", "tolv bogstaver æøå"); err != nil {
		t.Error(err)
	}
}

func testCertificates(t *testing.T, f *Fixture) {
	ctx := t.Context()
	c := f.collection(t, "C")
	first, second := store.Fingerprint{1}, store.Fingerprint{2}
	sensor := store.Client{Name: "sensor", Rights: map[string]taxii.Rights{c.ID: {Write: true}}, Certificates: []store.Fingerprint{second, first, second}}
	if _, err := f.Node.AddClient(ctx, sensor); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Node.AddClient(ctx, store.Client{Name: "other", Certificates: []store.Fingerprint{first}}); !errors.Is(err, store.ErrExists) {
		t.Errorf("a certificate of another: %v, want ErrExists", err)
	}
	want := &taxii.Principal{Kind: taxii.ClientAccount, Name: "sensor", Rights: sensor.Rights}
	check := func(when string, fingerprint store.Fingerprint, accepted bool) {
		t.Helper()
		got, err := f.Node.CertificateAccount(ctx, fingerprint)
		if !accepted {
			if got != nil || !errors.Is(err, taxii.ErrUnauthenticated) {
				t.Errorf("%s: %+v, %v, want ErrUnauthenticated", when, got, err)
			}
			return
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", when, err, diff)
		}
	}
	check("the first", first, true)
	check("the second", second, true)
	check("one that nobody has", store.Fingerprint{3}, false)
	clients, err := f.Node.Clients(ctx)
	if diff := cmp.Diff([]store.Fingerprint{first, second}, clients[0].Certificates); err != nil || len(clients) != 1 || diff != "" {
		t.Errorf("Clients = %+v, %v (-want +got):\n%s", clients, err, diff)
	}
	sensor.Certificates = []store.Fingerprint{second}
	if err := f.Node.SetClient(ctx, sensor); err != nil {
		t.Fatal(err)
	}
	check("one that was taken away", first, false)
	check("the one that stays", second, true)
	sensor.Disabled = true
	if err := f.Node.SetClient(ctx, sensor); err != nil {
		t.Fatal(err)
	}
	check("that of a disabled account", second, false)
	if err := f.Node.RemoveClient(ctx, "sensor"); err != nil {
		t.Fatal(err)
	}
	check("that of a removed account", second, false)
	if _, err := f.Node.AddClient(ctx, store.Client{Name: "next", Certificates: []store.Fingerprint{second}}); err != nil {
		t.Errorf("the certificate of a removed account: %v", err)
	}
}

func testRates(t *testing.T, f *Fixture) {
	ctx := t.Context()
	tool := store.Client{Name: "tool", Rates: taxii.Rates{Requests: 5, Octets: -1}}
	key, err := f.Node.AddClient(ctx, tool)
	if err != nil {
		t.Fatal(err)
	}
	f.Reopen(t)
	p, err := f.Node.Account(ctx, "tool", key)
	if err != nil || p.Rates != tool.Rates {
		t.Errorf("Account = %+v, %v, want the rates %+v", p, err, tool.Rates)
	}
	clients, err := f.Node.Clients(ctx)
	if err != nil || clients[0].Rates != tool.Rates {
		t.Errorf("Clients = %+v, %v, want the rates %+v", clients, err, tool.Rates)
	}
}
