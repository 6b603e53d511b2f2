package taxii

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/skjold-exchange/skjold/stix"
)

// hostile has what moves cursors, makes lines and turns the direction of a text: C0, C1, DEL, bidirectional controls, line
// and paragraph separators, zero widths, tags, and bytes that are no UTF-8.
const hostile = "a\x1b[2J\r\n\tb\x7f\u0085\u009b\u202e\u2066\u2028\u2029\u200b\ufeff\U000e0041\xffc æ 日本"

func TestPrintable(t *testing.T) {
	const want = "a·[2J···b··········\uFFFDc æ 日本"
	if got := printable(hostile); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func wantPrintable(t *testing.T, err error, says string) {
	t.Helper()
	text := err.Error()
	if !strings.Contains(text, says) || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsGraphic(c) }) {
		t.Errorf("%q, want %q and nothing that cannot be seen", text, says)
	}
}

// TestErrorsOfOtherServersArePrintable holds that no text of another server reaches a terminal raw.
func TestErrorsOfOtherServersArePrintable(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", MediaType)
		if strings.Contains(r.URL.Path, "objects") {
			fmt.Fprint(w, `{"objects":[{"a`+"\u202e"+`":1,"a`+"\u202e"+`":2} `+"\u009b")
			return
		}
		text, err := encodeJSON(Error{Title: hostile, Description: hostile, ErrorID: hostile})
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusBadRequest)
		w.Write(text)
	}))
	defer server.Close()
	c, _ := clientOf(t, server.URL+root)
	_, err := c.Collections(t.Context())
	var refused *ResponseError
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	wantPrintable(t, err, "a·[2J")
	wantPrintable(t, err, "[error_id a·[2J")

	page, err := c.Objects(t.Context(), newUUID(), PageRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer page.Close()
	for _, err = page.Next(); err == nil || errors.As(err, new(*stix.ElementError)); _, err = page.Next() {
		if err != nil {
			wantPrintable(t, err, "")
		}
	}
	wantPrintable(t, err, "cannot be read")

	names := x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{hostile}}, Host: "taxii.example"}
	err = ConnectionError(&url.URL{Scheme: "https", Host: "taxii.example"}, names)
	wantPrintable(t, err, "is for another name")
	if !errors.As(err, new(x509.HostnameError)) || !errors.As(err, new(*permanentError)) {
		t.Errorf("%#v does not lead to its cause", err)
	}
}
