package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skjold-exchange/skjold/taxii"
)

// cheap are parameters for tests that compute many hashes.
var cheap = passwordCost{memory: 8, passes: 1, threads: 1}

func cheapHash(password string) passwordHash {
	h := passwordHash{passwordCost: cheap, salt: []byte("0123456789abcdef")}
	h.sum = h.compute(password)
	return h
}

func TestPasswordHash(t *testing.T) {
	h := hashPassword("correct horse battery")
	text := h.String()
	if !strings.HasPrefix(text, "$argon2id$v=19$m=65536,t=3,p=4$") || strings.Contains(text, "horse") {
		t.Errorf("the hash is %s", text)
	}
	again, err := parsePasswordHash(text)
	if err != nil || !again.matches("correct horse battery") || again.matches("correct horse batter") {
		t.Errorf("%v: the hash of a password does not tell it from another", err)
	}
	if hashPassword("correct horse battery").String() == text {
		t.Error("two hashes of a password are equal: there is no salt")
	}
}

func TestPasswordHashRefuses(t *testing.T) {
	good := cheapHash("x").String()
	parts := strings.Split(good, "$")
	for name, text := range map[string]string{
		"empty":           "",
		"another kind":    strings.Replace(good, "argon2id", "argon2i", 1),
		"another release": strings.Replace(good, "v=19", "v=16", 1),
		"no salt":         strings.Join([]string{"", parts[1], parts[2], parts[3], "", parts[5]}, "$"),
		"short sum":       good[:len(good)-4],
		"no memory":       strings.Replace(good, "m=8", "m=0", 1),
		"all memory":      strings.Replace(good, "m=8", "m=4294967295", 1),
		"no passes":       strings.Replace(good, "t=1", "t=0", 1),
		"endless passes":  strings.Replace(good, "t=1", "t=65", 1),
		"no threads":      strings.Replace(good, "p=1", "p=0", 1),
		"too much":        good + "$",
		"another form":    strings.Replace(good, "m=8", "m=08", 1),
	} {
		if h, err := parsePasswordHash(text); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, %v, want ErrDamaged", name, h, err)
		}
	}
}

func FuzzParsePasswordHash(f *testing.F) {
	f.Add(cheapHash("x").String())
	f.Add(newDummy())
	f.Add("$argon2id$v=19$m=8,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := parsePasswordHash(s); err == nil && (h.String() != s || h.memory > maxMemory || h.passes > maxPasses) {
			t.Errorf("%q was read as %s", s, h)
		}
	})
}

// checksRig counts computations, and can hold them up.
type checksRig struct {
	*passwordChecks
	computed atomic.Int32
	hold     chan struct{} // nil: computations go on at once
}

func newChecksRig() *checksRig {
	g := &checksRig{passwordChecks: newPasswordChecks(time.Now)}
	g.compute = func(h passwordHash, password string) bool {
		g.computed.Add(1)
		if g.hold != nil {
			<-g.hold
		}
		return h.matches(password)
	}
	return g
}

func TestRightPasswordsAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, hash := newChecksRig(), cheapHash("right").String()
		steps := []struct {
			hash, password string
			pause          time.Duration
			ok             bool
			computed       int32
		}{
			{hash, "right", 0, true, 1},
			{hash, "right", passwordLife - 1, true, 1},
			{hash, "wrong", 0, false, 2},
			{hash, "wrong", 0, false, 3}, // wrong ones are not
			{hash, "right", 1, true, 4},
			{cheapHash("other").String(), "right", 0, false, 5}, // nor is it right for another hash
		}
		for i, s := range steps {
			time.Sleep(s.pause)
			if ok, err := g.check(t.Context(), s.hash, s.password); err != nil || ok != s.ok || g.computed.Load() != s.computed {
				t.Errorf("step %d: %v, %v after %d computations, want %v after %d", i, ok, err, g.computed.Load(), s.ok, s.computed)
			}
		}
	})
}

// TestPasswordsInFlight floods the checks: few run at once, some wait, the rest is turned away, and whoever sent what
// turns out to be right does not cost a computation each.
func TestPasswordsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, hash := newChecksRig(), cheapHash("right").String()
		g.hold = make(chan struct{})
		const callers = 3 * (maxChecks + maxWaiting)
		var wait sync.WaitGroup
		var right, unavailable atomic.Int32
		for range callers {
			wait.Go(func() {
				ok, err := g.check(t.Context(), hash, "right")
				if ok && err == nil {
					right.Add(1)
				}
				if errors.Is(err, taxii.ErrUnavailable) {
					unavailable.Add(1)
				}
			})
		}
		synctest.Wait()
		if n := g.computed.Load(); n != maxChecks {
			t.Errorf("%d computations at once, want %d", n, maxChecks)
		}
		if n := unavailable.Load(); n != callers-maxChecks-maxWaiting {
			t.Errorf("%d were turned away, want %d", n, callers-maxChecks-maxWaiting)
		}
		close(g.hold)
		wait.Wait()
		if right.Load() != maxChecks+maxWaiting || g.computed.Load() != maxChecks {
			t.Errorf("%d of %d that waited were right, after %d computations", right.Load(), maxWaiting, g.computed.Load())
		}
		g.hold = make(chan struct{})
		for i := range maxChecks {
			wait.Go(func() { g.check(t.Context(), hash, fmt.Sprint("wrong ", i)) })
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.check(ctx, hash, "wrong"); !errors.Is(err, taxii.ErrUnavailable) {
			t.Errorf("waiting without end: %v", err)
		}
		close(g.hold)
		wait.Wait()
	})
}

func TestKnownPasswordsAreBounded(t *testing.T) {
	g := newChecksRig()
	for i := range maxKnown + 10 {
		g.remember([32]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	if len(g.known) > maxKnown {
		t.Errorf("%d passwords are known", len(g.known))
	}
}

// TestGuessesCostTheSame holds that nobody learns from the work which names exist: where any account has a password, a
// name without one and a name that does not exist cost one computation, as a wrong password does; where none has, all
// cost none. Keys never cost any.
func TestGuessesCostTheSame(t *testing.T) {
	s := openDir(t, t.TempDir())
	g := newChecksRig()
	s.passwords = g.passwordChecks
	s.passwords.dummy = cheapHash("nobody knows").String()
	key, err := s.AddClient(t.Context(), Client{Name: "tool"})
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, want int32) {
		t.Helper()
		for _, name := range []string{"portal", "tool", "nobody"} {
			before := g.computed.Load()
			if _, err := s.Account(t.Context(), name, "a wrong password"); !errors.Is(err, taxii.ErrUnauthenticated) || !errors.Is(err, errNobody) {
				t.Errorf("%s, %s: %v", when, name, err)
			}
			if n := g.computed.Load() - before; n != want {
				t.Errorf("%s, %s: %d computations, want %d", when, name, n, want)
			}
		}
		before := g.computed.Load()
		for name, wrong := range map[string]string{"tool": key[:len(key)-1] + "_", "nobody": key, "": key[:len(key)-1] + "_"} {
			if _, err := s.Account(t.Context(), name, wrong); !errors.Is(err, taxii.ErrUnauthenticated) {
				t.Errorf("%s, key: %v", when, err)
			}
		}
		if g.computed.Load() != before {
			t.Errorf("%s: a key cost a computation", when)
		}
	}
	check("without passwords", 0)
	if _, err := s.AddClient(t.Context(), Client{Name: "portal"}); err != nil {
		t.Fatal(err)
	}
	err = s.write(t.Context(), func(c conn) error {
		_, err := c.Exec(`UPDATE client SET password = $1 WHERE account = (SELECT number FROM account WHERE name = 'portal')`, cheapHash("the password").String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	check("with a password", 1)
	if p, err := s.Account(t.Context(), "portal", "the password"); err != nil || p.Name != "portal" {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestGuessesRefused holds that an address that guesses costs nothing more, and that who is known goes on.
func TestGuessesRefused(t *testing.T) {
	g, hash := newChecksRig(), cheapHash("right").String()
	if ok, err := g.check(t.Context(), hash, "right"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	refusing := taxii.LimitStrangers(taxii.KeyAuth{Accounts: checking{g, hash}}, taxii.StrangerOptions{PerMinute: 1})
	before := g.computed.Load()
	for i, want := range []int32{1, 1, 1} { // the first wrong one is all that the address has
		if _, err := refusing.Authenticate(basicRequest("wrong")); err == nil || g.computed.Load()-before != want {
			t.Errorf("guess %d: %v after %d computations, want %d", i, err, g.computed.Load()-before, want)
		}
	}
	if _, err := refusing.Authenticate(basicRequest("right")); err != nil {
		t.Errorf("a known password from the same address: %v", err)
	}
}

// checking are accounts of which each has the one password.
type checking struct {
	checks *checksRig
	hash   string
}

func (c checking) Account(ctx context.Context, name, key string) (*taxii.Principal, error) {
	ok, err := c.checks.check(ctx, c.hash, key)
	if err == nil && !ok {
		err = errNobody
	}
	return &taxii.Principal{Name: name}, err
}

func basicRequest(password string) *http.Request {
	r := &http.Request{Header: http.Header{}, RemoteAddr: "192.0.2.1:1234"}
	r.SetBasicAuth("portal", password)
	return r
}
