package taxii

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// echoAccounts accepts everything and returns it as a name.
type echoAccounts struct{}

func (echoAccounts) Account(_ context.Context, name, key string) (*Principal, error) {
	return &Principal{Name: name + "|" + key}, nil
}

func basic(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestKeyAuth(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		want   string // "" for ErrUnauthenticated
	}{
		{"basic", http.Header{"Authorization": {"Basic " + basic("soc:secret")}}, "soc|secret"},
		{"lower case", http.Header{"Authorization": {"basic " + basic("soc:secret")}}, "soc|secret"},
		{"upper case", http.Header{"Authorization": {"BASIC " + basic("soc:secret")}}, "soc|secret"},
		{"colon in the key", http.Header{"Authorization": {"Basic " + basic("soc:a:b")}}, "soc|a:b"},
		{"UTF-8", http.Header{"Authorization": {"Basic " + basic("sø:æ")}}, "sø|æ"},
		{"two spaces", http.Header{"Authorization": {"Basic  " + basic("soc:secret")}}, "soc|secret"},
		{"bearer", http.Header{"Authorization": {"Bearer secret"}}, "|secret"},
		{"bearer, lower case", http.Header{"Authorization": {"bearer secret"}}, "|secret"},
		{"token", http.Header{"Authorization": {"Token secret"}}, "|secret"},
		{"x-api-key", http.Header{"X-Api-Key": {"secret"}}, "|secret"},

		{"nothing", http.Header{}, ""},
		{"empty", http.Header{"Authorization": {""}}, ""},
		{"scheme alone", http.Header{"Authorization": {"Bearer"}}, ""},
		{"unknown scheme", http.Header{"Authorization": {"Digest secret"}}, ""},
		{"bare key", http.Header{"Authorization": {"secret"}}, ""},
		{"two headers", http.Header{"Authorization": {"Bearer a", "Bearer a"}}, ""},
		{"both kinds", http.Header{"Authorization": {"Bearer a"}, "X-Api-Key": {"a"}}, ""},
		{"two keys", http.Header{"X-Api-Key": {"a", "b"}}, ""},
		{"not base64", http.Header{"Authorization": {"Basic soc:secret"}}, ""},
		{"no colon", http.Header{"Authorization": {"Basic " + basic("secret")}}, ""},
		{"no name", http.Header{"Authorization": {"Basic " + basic(":secret")}}, ""},
		{"no key", http.Header{"Authorization": {"Basic " + basic("soc:")}}, ""},
		{"bad UTF-8", http.Header{"Authorization": {"Basic " + basic("soc:\xff")}}, ""},
		{"key in two words", http.Header{"Authorization": {"Bearer a b"}}, ""},
		{"long name", http.Header{"Authorization": {"Basic " + basic(strings.Repeat("n", maxAccountName+1)+":k")}}, ""},
		{"long key", http.Header{"Authorization": {"Bearer " + strings.Repeat("k", maxAccountKey+1)}}, ""},
		{"long header", http.Header{"Authorization": {"Bearer " + strings.Repeat(" ", maxCredentials) + "k"}}, ""},
		{"long x-api-key", http.Header{"X-Api-Key": {strings.Repeat("k", maxAccountKey+1)}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := KeyAuth{echoAccounts{}}.Authenticate(&http.Request{Header: tt.header})
			if tt.want == "" {
				if !errors.Is(err, ErrUnauthenticated) || p != nil {
					t.Errorf("%+v, %v; want ErrUnauthenticated", p, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, p.Name); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestServerTakesEveryForm(t *testing.T) {
	g := newRig(t)
	for _, e := range []edit{
		as("reader"),
		header("Authorization", "basic "+basic("reader:key-of-reader")),
		header("Authorization", "Bearer key-of-reader"),
		header("Authorization", "Token key-of-reader"),
		func(r *http.Request) { r.Header.Del("Authorization"); r.Header.Set("x-api-key", "key-of-reader") },
	} {
		g.want(g.get(g.objects(""), e), http.StatusOK)
	}
}
