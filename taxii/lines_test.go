package taxii

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"
)

// TestFieldNames holds that the names are what http.Header looks for: a field under another spelling would be sent twice.
func TestFieldNames(t *testing.T) {
	names := []string{etagField, lengthField, typeField, codingField, cacheField, varyField, sniffField, requestIDField, firstField, lastField}
	for _, name := range names {
		if canonical := http.CanonicalHeaderKey(name); canonical != name {
			t.Errorf("%s is written %s", name, canonical)
		}
	}
	if http.CanonicalHeaderKey(dateAddedFirst) != firstField || http.CanonicalHeaderKey(dateAddedLast) != lastField {
		t.Error("the fields of §3.2 have other names")
	}
}

// TestSetLine holds that the values of one response do not get in each other's way, however many there are.
func TestSetLine(t *testing.T) {
	x, h := &exchange{}, http.Header{}
	for _, name := range []string{"A", "B", "C", "D", "E", "F", "G", "H"} {
		x.setLine(h, name, "value of "+name)
		h.Add(name, "another")
	}
	for name, values := range h {
		if !slices.Equal(values, []string{"value of " + name, "another"}) {
			t.Errorf("%s: %q", name, values)
		}
	}
	h = http.Header{}
	setCommonHeaders(h)
	h.Add(varyField, "Origin")
	if len(varyLine) != 1 || varyLine[0] != "Accept, Accept-Encoding" {
		t.Errorf("a response changed what all have: %q", varyLine)
	}
}

// TestDateAddedString holds that a DateAdded is written as the time package writes it.
func TestDateAddedString(t *testing.T) {
	dates := []DateAdded{0, -1, 1, -62167219200_000000, -62167219200_000001, 253402300799_999999, 253402300800_000000, 951782399_999999, 951782400_000000}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		for range 500 {
			dates = append(dates, DateAdded(r.Int64N(253402300800_000000+62167219200_000000)-62167219200_000000))
		}
	}
	for _, d := range dates {
		if got, want := d.String(), time.UnixMicro(int64(d)).UTC().Format(dateAddedLayout); got != want {
			t.Errorf("%d is written %s, not %s", d, got, want)
		}
	}
}
