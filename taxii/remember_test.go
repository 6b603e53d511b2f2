package taxii

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// countingAccounts counts how often they are asked.
type countingAccounts struct {
	asked map[string]int
	known map[string]*Principal // by name and key
}

func (a *countingAccounts) Account(_ context.Context, name, key string) (*Principal, error) {
	a.asked[name+":"+key]++
	if p := a.known[name+":"+key]; p != nil {
		return p, nil
	}
	return nil, ErrUnauthenticated
}

func TestCredentialCache(t *testing.T) {
	clock := newTestClock()
	behind := &countingAccounts{asked: map[string]int{}, known: map[string]*Principal{"a:k": {Name: "a"}, "ak:": {Name: "ak"}}}
	accounts := NewCredentialCache(0, clock.Now).Remembering(behind)
	steps := []struct {
		name, key string
		pause     time.Duration
		change    func()
		want      string // the principal, "" for ErrUnauthenticated
		asked     int
	}{
		{"a", "k", 0, nil, "a", 1},
		{"a", "k", DefaultCredentialLife - 1, nil, "a", 1},
		{"ak", "", 0, nil, "ak", 1}, // other credentials, though they join to the same text
		{"a", "k", 1, func() { delete(behind.known, "a:k") }, "", 2},
		{"a", "k", 0, nil, "", 3}, // wrong ones are not remembered
		{"a", "k", 0, func() { behind.known["a:k"] = &Principal{Name: "a"} }, "a", 4},
	}
	for i, s := range steps {
		clock.advance(s.pause)
		if s.change != nil {
			s.change()
		}
		p, err := accounts.Account(t.Context(), s.name, s.key)
		if (s.want == "") != errors.Is(err, ErrUnauthenticated) || s.want != "" && p.Name != s.want {
			t.Errorf("step %d: %+v, %v, want %q", i, p, err, s.want)
		}
		if n := behind.asked[s.name+":"+s.key]; n != s.asked {
			t.Errorf("step %d: asked %d times, want %d", i, n, s.asked)
		}
	}
}

// TestCredentialCacheIsBriefEnough holds that what a process remembers is forgotten within the two seconds that a change
// may take, however the reads of the database fall.
func TestCredentialCacheIsBriefEnough(t *testing.T) {
	clock := newTestClock()
	cache := NewCredentialCache(0, clock.Now)
	valid := true
	ask := func(slow time.Duration) bool {
		p, _ := cache.Principal("key", []string{"a"}, func() (*Principal, error) {
			if !valid {
				return nil, ErrUnauthenticated
			}
			clock.advance(slow) // the account is revoked while the answer is on its way
			return &Principal{}, nil
		})
		return p != nil
	}
	if !ask(time.Second / 2) {
		t.Fatal("not accepted")
	}
	valid = false
	revoked := clock.now
	for ask(0) {
		clock.advance(10 * time.Millisecond)
	}
	if took := clock.now.Sub(revoked); took > time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestCredentialCacheIsBounded(t *testing.T) {
	clock := newTestClock()
	cache := NewCredentialCache(0, clock.Now)
	cache.most = 50
	for i := range 200 {
		p, err := cache.Principal("key", []string{strconv.Itoa(i)}, func() (*Principal, error) { return &Principal{Name: strconv.Itoa(i)}, nil })
		if err != nil || p.Name != strconv.Itoa(i) || len(cache.known) > cache.most {
			t.Fatalf("%+v, %v with %d remembered", p, err, len(cache.known))
		}
		if again, _ := cache.Principal("certificate", []string{strconv.Itoa(i)}, func() (*Principal, error) { return nil, nil }); again == p {
			t.Fatal("credentials of another kind are taken for these")
		}
	}
}

// TestCredentialCacheKnowsHeaders holds that a header is remembered as an account's name and key are, for as long, and that
// what is not one header of credentials is judged as without a cache.
func TestCredentialCacheKnowsHeaders(t *testing.T) {
	clock := newTestClock()
	behind := &countingAccounts{asked: map[string]int{}, known: map[string]*Principal{"a:k": {Name: "a"}, ":k": {Name: "alone"}}}
	a := NewCredentialCache(0, clock.Now).KeyAuth(behind)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("a:k"))
	steps := []struct {
		header http.Header
		pause  time.Duration
		change func()
		want   string
		asked  int // in all
	}{
		{http.Header{"Authorization": {basic}}, 0, nil, "a", 1},
		{http.Header{"Authorization": {basic}}, DefaultCredentialLife - 1, nil, "a", 1},
		{http.Header{"X-Api-Key": {"k"}}, 0, nil, "alone", 2},
		{http.Header{"X-Api-Key": {"k"}}, 0, nil, "alone", 2},
		{http.Header{"Authorization": {"Bearer k"}}, 0, nil, "alone", 3},
		{http.Header{"Authorization": {basic, basic}}, 0, nil, "", 3},
		{http.Header{"Authorization": {basic}, "X-Api-Key": {"k"}}, 0, nil, "", 3},
		{http.Header{"Authorization": {"Basic " + strings.Repeat("A", maxCredentials)}}, 0, nil, "", 3},
		{http.Header{"Authorization": {"authorization"}}, 0, nil, "", 3},
		{http.Header{}, 0, nil, "", 3},
		{http.Header{"Authorization": {basic}}, 1, func() { clear(behind.known) }, "", 4},
		{http.Header{"Authorization": {"Bearer k"}}, 0, nil, "alone", 4}, // not over yet
		{http.Header{"Authorization": {"Bearer k"}}, DefaultCredentialLife, nil, "", 5},
	}
	for i, s := range steps {
		clock.advance(s.pause)
		if s.change != nil {
			s.change()
		}
		p, err := a.Authenticate(&http.Request{Header: s.header})
		if (s.want == "") != errors.Is(err, ErrUnauthenticated) || s.want != "" && p.Name != s.want {
			t.Errorf("step %d: %+v, %v, want %q", i, p, err, s.want)
		}
		asked := 0
		for _, n := range behind.asked {
			asked += n
		}
		if asked != s.asked {
			t.Errorf("step %d: asked %d times, want %d", i, asked, s.asked)
		}
	}
}

func BenchmarkCredentialCache(b *testing.B) {
	cache := NewCredentialCache(time.Hour, nil)
	for b.Loop() {
		if _, err := cache.Principal("key", []string{"soc", "skj_0123456789012345678901234567890123456789012"}, func() (*Principal, error) { return &Principal{}, nil }); err != nil {
			b.Fatal(err)
		}
	}
}
