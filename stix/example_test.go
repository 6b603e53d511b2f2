package stix_test

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/skjold-exchange/skjold/stix"
)

// A bundle is taken apart while it is read; one bad element does not spoil the others.
func ExampleReader() {
	r := stix.NewReader(strings.NewReader(`{
		"type": "bundle", "id": "bundle--3f2504e0-4f89-41d3-9a0c-0305e82c3301",
		"objects": [
			{"type": "mutex",   "id": "mutex--7a1e3c5b-2d4f-4a6b-8c9d-0e1f2a3b4c5d", "name": "Global\\one"},
			"not an object",
			{"type": "mutex",   "id": "mutex--8b2f4d6c-3e5a-4b7c-9dae-1f2a3b4c5d6e", "name": "Global\\two"}
		]
	}`), stix.DefaultLimits())
	for {
		raw, err := r.Next()
		var element *stix.ElementError
		switch {
		case err == io.EOF:
			fmt.Println("end of the", r.Container(), r.BundleID())
			return
		case errors.As(err, &element):
			fmt.Println("refused:", element.Reason)
		case err != nil:
			fmt.Println(err)
			return
		default:
			fmt.Printf("%s\n", raw)
		}
	}
	// Output:
	// {"type":"mutex","id":"mutex--7a1e3c5b-2d4f-4a6b-8c9d-0e1f2a3b4c5d","name":"Global\\one"}
	// refused: the element is a string, not a STIX object
	// {"type":"mutex","id":"mutex--8b2f4d6c-3e5a-4b7c-9dae-1f2a3b4c5d6e","name":"Global\\two"}
	// end of the bundle bundle--3f2504e0-4f89-41d3-9a0c-0305e82c3301
}

func ExampleCheck() {
	object, report := stix.Check([]byte(`{
		"type": "indicator", "spec_version": "2.1", "id": "indicator--9c3a5e7d-4f6b-4c8d-aebf-2a3b4c5d6e7f",
		"created": "2026-03-01T08:00:00Z", "modified": "2026-03-01T08:00:00.000Z",
		"name": "Phishing site", "description": "Reported by a school.",
		"pattern": "[url:value = 'http://login.example/']", "pattern_type": "stix",
		"valid_from": "2026-03-01T08:00:00Z", "valid_until": "2026-02-01T08:00:00Z",
		"indicator_types": ["phishing"]
	}`), stix.Options{})
	fmt.Println(object.ID, "acceptable:", report.Acceptable())
	for _, v := range report.Errors {
		fmt.Println("error:", v)
	}
	for _, v := range report.Warnings {
		fmt.Println("warning:", v)
	}
	// Output:
	// indicator--9c3a5e7d-4f6b-4c8d-aebf-2a3b4c5d6e7f acceptable: true
	// error: valid_until: valid_until must be later than valid_from. (STIX 2.1 §4.7.1, time-order)
	// error: created: Write created with at least three digits after the seconds, like 2026-03-01T08:00:00.000Z. (STIX 2.1 §3.2, timestamp-precision)
	// warning: indicator_types[0]: "phishing" is not a value of indicator-type-ov; prefer one that others understand. (STIX 2.1 §2.14, open-vocabulary)
}

// Versions are ordered as instants, at any precision and however they are written.
func ExampleTimestamp() {
	a, _ := stix.ParseTimestamp("2026-03-01T08:00:00.1Z")
	b, _ := stix.ParseTimestamp("2026-03-01T08:00:00.100Z")
	c, _ := stix.ParseTimestamp("2026-03-01T08:00:00.1000000000000000001Z")
	fmt.Println(a.Equal(b), b.Compare(c), b.SortKey(), b)
	// Output: true -1 2026-03-01T08:00:00.1 2026-03-01T08:00:00.100Z
}

func ExampleObject_Digest() {
	a := stix.Object{Raw: []byte(`{"type":"mutex","id":"mutex--7a1e3c5b-2d4f-4a6b-8c9d-0e1f2a3b4c5d","name":"a"}`)}
	b := stix.Object{Raw: []byte(`{ "name":"\u0061", "id":"mutex--7a1e3c5b-2d4f-4a6b-8c9d-0e1f2a3b4c5d", "type":"mutex" }`)}
	x, _ := a.Digest()
	y, _ := b.Digest()
	fmt.Println(x == y)
	// Output: true
}

// The same values have the same identifier, whoever makes the object and however it is written.
func ExampleDeterministicIdentifier() {
	for _, raw := range []string{
		`{"type":"ipv4-addr","value":"198.51.100.3"}`,
		`{"value":"\u003198.51.100.3", "type":"ipv4-addr", "defanged":true}`,
		`{"type":"process","pid":1}`,
	} {
		id, err := stix.DeterministicIdentifier([]byte(raw))
		if errors.Is(err, stix.ErrNotDeterministic) {
			id = "a random one"
		}
		fmt.Println(id)
	}
	// Output:
	// ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4
	// ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4
	// a random one
}

func ExampleParse() {
	o, err := stix.Parse([]byte(`{"type":"indicator","spec_version":"2.1",
		"id":"indicator--9c3a5e7d-4f6b-4c8d-aebf-2a3b4c5d6e7f",
		"created":"2026-03-01T08:00:00.000Z","modified":"2026-03-02T08:00:00.000Z",
		"object_marking_refs":["marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"]}`), stix.DefaultLimits())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(o.ID.Type(), o.Version(), o.Markings().TLP)
	// Output: indicator 2026-03-02T08:00:00.000Z amber
}

// Versions of one object may arrive in any order.
func ExampleHistory() {
	version := func(modified, rest string) *stix.Object {
		o, err := stix.Parse([]byte(`{"type":"tool","spec_version":"2.1","id":"tool--5d2f0c1a-7b3e-4f6a-9c8d-1e2f3a4b5c6d",`+
			`"created_by_ref":"identity--0b1c2d3e-4f5a-4b6c-8d7e-9f0a1b2c3d4e","created":"2026-03-01T08:00:00.000Z",`+
			`"modified":"`+modified+`",`+rest+`}`), stix.DefaultLimits())
		if err != nil {
			panic(err)
		}
		return o
	}
	var h stix.History
	for _, o := range []*stix.Object{
		version("2026-03-01T08:00:00.10Z", `"name":"remote shell"`),
		version("2026-03-01T08:00:00.000Z", `"name":"shell"`),
		version("2026-03-01T08:00:00.1Z", `"name":"something else"`),
		version("2026-03-02T08:00:00.000Z", `"name":"remote shell","revoked":true`),
		version("2026-03-03T08:00:00.000Z", `"name":"remote shell"`),
	} {
		added, err := h.Add(o)
		fmt.Println(added)
		var refused *stix.VersionError
		if errors.As(err, &refused) {
			fmt.Println(refused.Violation.Rule, "§"+refused.Violation.Section)
		}
	}
	fmt.Println(len(h.All()), "versions, the last of", h.Last().Modified, "revoked:", h.Revoked())
	// Output:
	// true
	// true
	// false
	// version-conflict §3.6
	// true
	// false
	// after-revocation §3.6
	// 3 versions, the last of 2026-03-02T08:00:00.000Z revoked: true
}

// What is wrong between the objects of one input.
func ExampleCrossCheck() {
	x := stix.NewCrossCheck(0)
	for i, raw := range []string{
		`{"type":"language-content","id":"language-content--1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d","object_ref":` +
			`"campaign--2b3c4d5e-6f7a-4b8c-9d0e-1f2a3b4c5d6e","object_modified":"2026-03-02T08:00:00.000Z"}`,
		`{"type":"campaign","id":"campaign--2b3c4d5e-6f7a-4b8c-9d0e-1f2a3b4c5d6e","created":"2026-03-01T08:00:00.000Z",` +
			`"modified":"2026-03-01T08:00:00.000Z","name":"Spring"}`,
		`{"type":"campaign","id":"campaign--2b3c4d5e-6f7a-4b8c-9d0e-1f2a3b4c5d6e","created":"2026-03-01T08:00:00.000Z",` +
			`"modified":"2026-03-01T08:00:00.000Z","name":"Autumn"}`,
	} {
		o, err := stix.Parse([]byte(raw), stix.DefaultLimits())
		if err != nil {
			fmt.Println(err)
			continue
		}
		for _, v := range x.Add(i, o).Warnings {
			fmt.Printf("object %d: warning: %s\n", i, v.Rule)
		}
	}
	for _, finding := range x.Finish() {
		fmt.Printf("object %d: error: %s\n", finding.Index, finding.Errors[0].Rule)
	}
	// Output:
	// object 2: warning: version-conflict
	// object 0: error: object-modified
}

// A relationship tells of its ends, so it is handled as strictly as they are.
func ExampleObject_EffectiveMarkings() {
	relationship, err := stix.Parse([]byte(`{"type":"relationship","id":"relationship--3c4d5e6f-7a8b-4c9d-8e0f-2a3b4c5d6e7f",`+
		`"source_ref":"indicator--4d5e6f7a-8b9c-4d0e-9f1a-3b4c5d6e7f8a","target_ref":"malware--5e6f7a8b-9c0d-4e1f-8a2b-4c5d6e7f8a9b",`+
		`"object_marking_refs":["`+string(stix.MarkingOf(stix.TLPGreen))+`"]}`), stix.DefaultLimits())
	if err != nil {
		fmt.Println(err)
		return
	}
	held := map[stix.Identifier]stix.MarkingSet{"malware--5e6f7a8b-9c0d-4e1f-8a2b-4c5d6e7f8a9b": {TLP: stix.TLPAmberStrict}}
	markings := relationship.EffectiveMarkings(stix.TLPAmber, func(id stix.Identifier) (stix.MarkingSet, bool) {
		set, ok := held[id]
		return set, ok
	})
	fmt.Println(relationship.Markings().TLP, "becomes", markings.TLP)
	// Output:
	// green becomes amber+strict
}
