package federation

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// newRing is a key directory whose keys were made at testNow.
func newRing(t *testing.T) (dir string, r *KeyRing) {
	t.Helper()
	dir = t.TempDir()
	if _, err := CreateKeys(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{FederationKeyFile, RequestKeyFile} {
		if err := os.Chtimes(filepath.Join(dir, name), testNow, testNow); err != nil {
			t.Fatal(err)
		}
	}
	return dir, reopen(t, dir)
}

func reopen(t *testing.T, dir string) *KeyRing {
	t.Helper()
	r, err := OpenKeyRing(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func public(keys []jose.PublicKey) map[string]bool {
	ids := make(map[string]bool)
	for _, k := range keys {
		ids[k.ID()] = true
	}
	return ids
}

// TestRotation follows a rotated federation key through its stages; a ring read anew from the files says the same.
func TestRotation(t *testing.T) {
	dir, r := newRing(t)
	old := r.Keys(testNow).Federation
	next, err := r.Rotate(FederationKey, testNow.Add(KeyNotice), testNow)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rotate(FederationKey, testNow.Add(KeyNotice), testNow); !errors.Is(err, ErrKeyPending) {
		t.Errorf("a second next key: %v", err)
	}
	begin := testNow.Add(KeyNotice).Truncate(time.Second)
	for after, want := range map[time.Duration]struct {
		signs  *jose.Key
		others []*jose.Key
		stages [2]KeyStage
	}{
		-KeyNotice:                 {old, []*jose.Key{next.Key}, [2]KeyStage{CurrentKey, NextKey}},
		-time.Second:               {old, []*jose.Key{next.Key}, [2]KeyStage{CurrentKey, NextKey}},
		0:                          {next.Key, []*jose.Key{old}, [2]KeyStage{FormerKey, CurrentKey}},
		keyAfterlife - time.Second: {next.Key, []*jose.Key{old}, [2]KeyStage{FormerKey, CurrentKey}},
		keyAfterlife:               {next.Key, nil, [2]KeyStage{RetiredKey, CurrentKey}},
		100 * 24 * time.Hour:       {next.Key, nil, [2]KeyStage{RetiredKey, CurrentKey}},
	} {
		now := begin.Add(after)
		for name, ring := range map[string]*KeyRing{"as it was": r, "from its files": reopen(t, dir)} {
			keys := ring.Keys(now)
			if keys.Federation.ID() != want.signs.ID() || keys.First != old.ID() {
				t.Errorf("%s, %s after the start: %s signs", name, after, keys.Federation.ID())
			}
			others := make(map[string]bool)
			for _, k := range want.others {
				others[k.ID()] = true
			}
			if diff := cmp.Diff(others, public(ring.Others(FederationKey, now))); diff != "" {
				t.Errorf("%s, %s after the start, others (-want +got):\n%s", name, after, diff)
			}
			all := ring.All(FederationKey)
			if got := [2]KeyStage{ring.Stage(all[0], now), ring.Stage(all[1], now)}; got != want.stages {
				t.Errorf("%s, %s after the start: %v, want %v", name, after, got, want.stages)
			}
		}
	}
}

// TestRequestKeysRotate lets two years pass, an hour at a time: the key that signs is never older than 90 days, was
// published 48 hours before, and files of retired keys go.
func TestRequestKeysRotate(t *testing.T) {
	dir, r := newRing(t)
	announced := map[string]time.Time{r.Keys(testNow).Request.ID(): testNow.Add(-KeyNotice)}
	since := map[string]time.Time{r.Keys(testNow).Request.ID(): testNow}
	for hour := range 2 * 365 * 24 {
		now := testNow.Add(time.Duration(hour) * time.Hour)
		if _, err := r.RotateRequestKey(now); err != nil {
			t.Fatal(err)
		}
		for id := range public(r.Others(RequestKey, now)) {
			if announced[id].IsZero() {
				announced[id] = now
			}
		}
		id := r.Keys(now).Request.ID()
		if since[id].IsZero() {
			since[id] = now
		}
		if announced[id].IsZero() || since[id].Sub(announced[id]) < KeyNotice {
			t.Fatalf("the key that signs since %s was announced at %s", since[id], announced[id])
		}
		if age := now.Sub(since[id]); age > requestKeyLife+time.Hour {
			t.Fatalf("a request key has signed for %s", age)
		}
	}
	if got := len(since); got != 9 {
		t.Errorf("%d request keys in two years", got)
	}
	if got := len(reopen(t, dir).All(RequestKey)); got > 2 {
		t.Errorf("%d files of request keys are left", got)
	}
}

// TestNodeThatWasOff: a key that is overdue is announced for 48 hours all the same.
func TestNodeThatWasOff(t *testing.T) {
	_, r := newRing(t)
	now := testNow.Add(2 * requestKeyLife)
	old := r.Keys(now).Request.ID()
	if changed, err := r.RotateRequestKey(now); err != nil || !changed {
		t.Fatal(changed, err)
	}
	if changed, err := r.RotateRequestKey(now.Add(time.Hour)); err != nil || changed {
		t.Errorf("rotated again: %v, %v", changed, err)
	}
	if r.Keys(now.Add(KeyNotice-time.Second)).Request.ID() != old || r.Keys(now.Add(KeyNotice)).Request.ID() == old {
		t.Error("the next key does not sign 48 hours after it was announced")
	}
}

func TestKeyRingRefuses(t *testing.T) {
	for want, spoil := range map[string]func(dir string) error{
		"does not exist":  func(dir string) error { return os.Remove(filepath.Join(dir, RequestKeyFile)) },
		"others than its": func(dir string) error { return os.Chmod(filepath.Join(dir, FederationKeyFile), 0o640) },
		"the same key": func(dir string) error {
			text, err := os.ReadFile(filepath.Join(dir, FederationKeyFile))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "federation-20270301t120000z.jwk"), text, 0o600)
		},
	} {
		dir, _ := newRing(t)
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		_, err := OpenKeyRing(dir)
		check(t, want, err, want)
	}
	dir, _ := newRing(t)
	for _, name := range []string{"vote.jwk", "federation-later.jwk", "federation.jwk.old", "request", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("x", 10)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r := reopen(t, dir); len(r.All(FederationKey)) != 1 || len(r.All(RequestKey)) != 1 {
		t.Error("files of other names were taken for keys")
	}
}
