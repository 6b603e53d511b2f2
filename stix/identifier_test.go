package stix

import (
	"strings"
	"testing"
)

func TestParseIdentifier(t *testing.T) {
	const id = "--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f"
	for _, c := range []struct {
		name, text string
		ok         bool
	}{
		{"indicator", "indicator" + id, true},
		{"custom type with hyphens and digits", "x-acme-2fa-event" + id, true},
		{"shortest type", "url" + id, true},
		{"longest type", strings.Repeat("a", 250) + id, true},
		{"upper-case hexadecimal digits", "indicator--6B3F2D5C-6A1E-4D0B-9C1F-0C8A4B1D2E3F", true},
		{"version 1", "indicator--6b3f2d5c-6a1e-1d0b-9c1f-0c8a4b1d2e3f", true},
		{"version 7", "indicator--6b3f2d5c-6a1e-7d0b-9c1f-0c8a4b1d2e3f", true},
		{"empty", "", false},
		{"no type", id, false},
		{"UUID alone", id[2:], false},
		{"one hyphen", "indicator-" + id[2:], false},
		{"upper-case type", "Indicator" + id, false},
		{"type too short", "ab" + id, false},
		{"type too long", strings.Repeat("a", 251) + id, false},
		{"type begins with a digit", "2fa" + id, false},
		{"type ends with a hyphen", "abc-" + id, false},
		{"two hyphens in the type", "x--y" + id, false},
		{"underscore in the type", "x_y" + id, false},
		{"path in the type", "../../etc/passwd" + id, false},
		{"prototype", "__proto__" + id, false},
		{"urn", "indicator--urn:uuid:" + id[2:], false},
		{"braces", "indicator--{" + id[2:] + "}", false},
		{"no hyphens", "indicator--6b3f2d5c6a1e4d0b9c1f0c8a4b1d2e3f", false},
		{"hyphens shifted", "indicator--6b3f2d5-c6a1e-4d0b-9c1f-0c8a4b1d2e3f", false},
		{"not hexadecimal", "indicator--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3g", false},
		{"nil", "indicator--00000000-0000-0000-0000-000000000000", false},
		{"all ones", "indicator--ffffffff-ffff-ffff-ffff-ffffffffffff", false},
		{"other variant", "indicator--6b3f2d5c-6a1e-4d0b-0c1f-0c8a4b1d2e3f", false},
		{"version 0", "indicator--6b3f2d5c-6a1e-0d0b-9c1f-0c8a4b1d2e3f", false},
		{"newline at the end", "indicator" + id + "\n", false},
		{"full-width digit", "indicator--６b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseIdentifier(c.text)
			if ok := err == nil; ok != c.ok {
				t.Fatalf("ParseIdentifier(%q) = %q, %v", c.text, got, err)
			}
			if c.ok && string(got) != c.text {
				t.Errorf("%q became %q", c.text, got)
			}
			if !c.ok && (got != "" || len(err.Error()) > 400) {
				t.Errorf("a refused identifier gives %q and an error of %d bytes", got, len(err.Error()))
			}
		})
	}
}

// Every character of the UUID counts: a hyphen in the place of a digit, a digit in the place of a hyphen, or anything else.
func TestParseIdentifierEveryCharacter(t *testing.T) {
	const prefix, uuid = "indicator--", "6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f"
	for i := range len(uuid) {
		for c := range 256 {
			text := prefix + uuid[:i] + string([]byte{byte(c)}) + uuid[i+1:]
			isHex := strings.IndexByte("0123456789abcdefABCDEF", byte(c)) >= 0
			want := isHex
			switch i {
			case 8, 13, 18, 23:
				want = c == '-'
			case 14:
				want = '1' <= c && c <= '8'
			case 19:
				want = strings.IndexByte("89abAB", byte(c)) >= 0
			}
			if _, err := ParseIdentifier(text); (err == nil) != want {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
}

func TestIdentifierParts(t *testing.T) {
	id := Identifier("x-acme--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f")
	if id.Type() != "x-acme" || id.UUID() != "6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f" {
		t.Errorf("type %q, UUID %q", id.Type(), id.UUID())
	}
	if bad := Identifier("nonsense"); bad.Type() != "" || bad.UUID() != "" {
		t.Errorf("an invalid identifier has type %q and UUID %q", bad.Type(), bad.UUID())
	}
}

func TestNewIdentifier(t *testing.T) {
	a, b := NewIdentifier("indicator"), NewIdentifier("indicator")
	if a == b {
		t.Errorf("%s was made twice", a)
	}
	if _, err := ParseIdentifier(string(a)); err != nil || a.Type() != "indicator" || uuidVersion(a) != '4' {
		t.Errorf("%s: %v", a, err)
	}
}

func FuzzParseIdentifier(f *testing.F) {
	f.Add("indicator--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f")
	f.Add("x--y--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f")
	f.Add("--")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseIdentifier(text)
		if err != nil {
			return
		}
		if string(id) != text || id.Type()+"--"+id.UUID() != text || len(id.UUID()) != uuidLength || !isTypeName(id.Type()) {
			t.Errorf("%q was accepted as type %q, UUID %q", text, id.Type(), id.UUID())
		}
	})
}
