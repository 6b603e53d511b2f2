package stix

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const otherIdentity = Identifier("identity" + testRef)

// version is a tool as its creator writes it: modified, and further members.
func version(t testing.TB, modified, members string) *Object {
	t.Helper()
	return parsed(t, fmt.Sprintf(`{"type":"tool","spec_version":"2.1","id":"tool--%s","created_by_ref":%q,`+
		`"created":"2026-01-01T00:00:00.000Z","modified":%q%s}`, testUUID, testIdentity, modified, comma(members)))
}

func parsed(t testing.TB, raw string) *Object {
	t.Helper()
	o, err := Parse([]byte(raw), Limits{})
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return o
}

// ruleOf is the rule of a VersionError, "" for no error.
func ruleOf(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var refused *VersionError
	if !errors.As(err, &refused) {
		t.Fatalf("%v is no VersionError", err)
	}
	v := refused.Violation
	if v.Section == "" || !strings.HasSuffix(v.Message, ".") || !v.Structural {
		t.Errorf("not a sentence with a section, or not structural: %+v", v)
	}
	return v.Rule
}

// state is what a history says, without the bytes of contested versions, of which the first to come stays.
func state(h *History) []string {
	var out []string
	for _, v := range h.All() {
		line := v.Version().SortKey()
		if v.Contested {
			line += " contested"
		} else {
			line += " " + string(v.Raw)
		}
		out = append(out, line)
	}
	if last := h.Last(); last.Object != nil {
		out = append(out, fmt.Sprintf("last %s, first %s, revoked %v", last.Version().SortKey(), h.First().Version().SortKey(), h.Revoked()))
	}
	return out
}

func TestHistoryOrder(t *testing.T) {
	var h History
	if h.First().Object != nil || h.Last().Object != nil || h.Revoked() || len(h.All()) > 0 || len(h.AfterRevocation()) > 0 {
		t.Error("the zero History is not empty")
	}
	for _, modified := range []string{ // each later than the one before it
		"2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.0000000000000000002Z", "2026-01-01T00:00:00.0000000000000000003Z",
		"2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00.11Z", "2026-06-30T23:59:60.5Z", "2026-07-01T00:00:00Z", "9999-12-31T23:59:59.999Z",
	} {
		if added, err := h.Add(version(t, modified, "")); !added || err != nil {
			t.Fatalf("%s: %v, %v", modified, added, err)
		}
		if got := h.Last().Version().String(); got != modified {
			t.Errorf("the last version is %s, want %s", got, modified)
		}
	}
	if len(h.All()) != 8 || h.First().Version().String() != "2026-01-01T00:00:00.000Z" {
		t.Errorf("%d versions from %v", len(h.All()), h.First().Version())
	}
	all := h.All()
	all[0] = Version{}
	if h.First().Object == nil {
		t.Error("a change of what All returns changes the history")
	}
}

func TestHistoryRules(t *testing.T) {
	const t1, t2, t3 = "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.1Z", "2026-01-03T00:00:00.000Z"
	object := func(raw string) func(testing.TB) *Object {
		return func(t testing.TB) *Object { return parsed(t, raw) }
	}
	tool := func(modified, members string) func(testing.TB) *Object {
		return func(t testing.TB) *Object { return version(t, modified, members) }
	}
	changed := func(old, new string) func(testing.TB) *Object {
		return func(t testing.TB) *Object {
			raw := string(version(t, t2, "").Raw)
			if !strings.Contains(raw, old) {
				t.Fatalf("%s does not hold %s", raw, old)
			}
			return parsed(t, strings.Replace(raw, old, new, 1))
		}
	}
	domain := func(members string) func(testing.TB) *Object { return object(observable("domain-name", members)) }
	marking := func(created, members string) func(testing.TB) *Object {
		return object(fmt.Sprintf(`{"type":"marking-definition","id":"marking-definition--%s","created":%q%s}`, testUUID, created, comma(members)))
	}
	for _, c := range []struct {
		name    string
		held    []func(testing.TB) *Object
		object  func(testing.TB) *Object
		added   bool
		rule    string
		section string
		count   int // versions afterwards
	}{
		{"first", nil, tool(t1, ""), true, "", "", 1},
		{"later", []func(testing.TB) *Object{tool(t1, "")}, tool(t2, `"name":"n"`), true, "", "", 2},
		{"earlier", []func(testing.TB) *Object{tool(t2, "")}, tool(t1, ""), true, "", "", 2},
		{"between", []func(testing.TB) *Object{tool(t1, ""), tool(t3, "")}, tool(t2, ""), true, "", "", 3},
		{"same bytes", []func(testing.TB) *Object{tool(t1, "")}, tool(t1, ""), false, "", "", 1},
		{"same content in another order", []func(testing.TB) *Object{tool(t1, `"name":"n","description":"d"`)}, tool(t1, `"description":"d","name":"n"`), false, "", "", 1},
		{"same content with a default", []func(testing.TB) *Object{tool(t1, "")}, tool(t1, `"revoked":false,"lang":"en"`), false, "", "", 1},
		{"other content", []func(testing.TB) *Object{tool(t1, `"name":"a"`)}, tool(t1, `"name":"b"`), false, RuleVersionConflict, "3.6", 1},
		{"other content at the same instant", []func(testing.TB) *Object{tool(t2, `"name":"a"`)}, tool("2026-01-02T00:00:00.100Z", `"name":"b"`), false, RuleVersionConflict, "3.6", 1},
		{"content without a canonical form", []func(testing.TB) *Object{tool(t1, `"x_n":1e999`)}, tool(t1, ` "x_n" : 1e999`), false, "", "", 1},
		{"other content without a canonical form", []func(testing.TB) *Object{tool(t1, `"x_n":1e999`)}, tool(t1, `"x_n":1e998`), false, RuleVersionConflict, "3.6", 1},
		{"other id", []func(testing.TB) *Object{tool(t1, "")}, changed(testUUID, testRef[2:]), false, RuleOtherObject, "2.9", 1},
		{"other type", []func(testing.TB) *Object{tool(t1, "")}, changed(`"type":"tool"`, `"type":"campaign"`), false, RuleTypeChanged, "2.9", 1},
		{"other created", []func(testing.TB) *Object{tool(t1, "")}, changed(`"created":"2026-01-01`, `"created":"2025-01-01`), false, RuleCreatedChanged, "3.6.1", 1},
		{"created in other digits", []func(testing.TB) *Object{tool(t1, "")}, changed(`00:00:00.000Z","modified"`, `00:00:00.0000Z","modified"`), true, "", "", 2},
		{"other creator", []func(testing.TB) *Object{tool(t1, "")}, changed(testIdentity, string(otherIdentity)), false, RuleCreatorChanged, "3.5", 1},
		{"creator dropped", []func(testing.TB) *Object{tool(t1, "")}, changed(`"created_by_ref":"`+testIdentity+`",`, ""), false, RuleCreatorChanged, "3.5", 1},
		{"no modified", []func(testing.TB) *Object{tool(t1, "")}, object(`{"type":"tool","id":"tool--` + testUUID + `"}`), false, RuleNoVersion, "3.6", 1},
		{"no modified, alone", nil, object(`{"type":"tool","id":"tool--` + testUUID + `"}`), false, RuleNoVersion, "3.6", 0},
		{"revocation", []func(testing.TB) *Object{tool(t1, "")}, tool(t2, `"revoked":true`), true, "", "", 2},
		{"after a revocation", []func(testing.TB) *Object{tool(t1, ""), tool(t2, `"revoked":true`)}, tool(t3, ""), false, RuleAfterRevocation, "3.6", 2},
		{"revoked again", []func(testing.TB) *Object{tool(t2, `"revoked":true`)}, tool(t3, `"revoked":true`), false, RuleAfterRevocation, "3.6", 1},
		{"before a revocation", []func(testing.TB) *Object{tool(t2, `"revoked":true`)}, tool(t1, ""), true, "", "", 2},
		{"the revocation again", []func(testing.TB) *Object{tool(t2, `"revoked":true`)}, tool(t2, `"revoked":true`), false, "", "", 1},
		{"revocation of a past instant", []func(testing.TB) *Object{tool(t1, ""), tool(t3, "")}, tool(t2, `"revoked":true`), true, "", "", 2},
		{"conflict with the revocation", []func(testing.TB) *Object{tool(t2, `"revoked":true`)}, tool(t2, ""), false, RuleVersionConflict, "3.6", 1},
		{"observable again", []func(testing.TB) *Object{domain(`"value":"a.example"`)}, domain(`"value":"a.example","spec_version":"2.1"`), false, "", "", 1},
		{"observable with other content", []func(testing.TB) *Object{domain(`"value":"a.example"`)}, domain(`"value":"b.example"`), false, RuleNotVersioned, "3.6", 1},
		{"marking again", []func(testing.TB) *Object{marking(t1, `"name":"a"`)}, marking(t1, `"name":"a"`), false, "", "", 1},
		{"marking with other content", []func(testing.TB) *Object{marking(t1, `"name":"a"`)}, marking(t1, `"name":"b"`), false, RuleNotVersioned, "7.2.1", 1},
		{"marking with modified", []func(testing.TB) *Object{marking(t1, `"name":"a"`)}, marking(t1, `"name":"b","modified":"`+t3+`"`), false, RuleNotVersioned, "7.2.1", 1},
		{"custom object without versions", nil, object(`{"type":"x-acme","id":"x-acme--` + testUUID + `"}`), true, "", "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h History
			for _, held := range c.held {
				if added, err := h.Add(held(t)); !added || err != nil {
					t.Fatalf("%v, %v", added, err)
				}
			}
			before := h.All()
			added, err := h.Add(c.object(t))
			if rule := ruleOf(t, err); added != c.added || rule != c.rule {
				t.Errorf("added %v, rule %q (%v); want %v, %q", added, rule, err, c.added, c.rule)
			}
			var refused *VersionError
			if errors.As(err, &refused) && refused.Violation.Section != c.section {
				t.Errorf("section %s, want %s", refused.Violation.Section, c.section)
			}
			if got := len(h.All()); got != c.count {
				t.Errorf("%d versions, want %d", got, c.count)
			}
			if err != nil {
				for i, v := range h.All() {
					if v.Object != before[i].Object {
						t.Errorf("what was held at %v is replaced", v.Version())
					}
				}
			}
			contested := c.rule == RuleVersionConflict || c.rule == RuleNotVersioned
			if got := slices.ContainsFunc(h.All(), func(v Version) bool { return v.Contested }); got != contested {
				t.Errorf("contested %v, want %v", got, contested)
			}
		})
	}
}

// What was held when a revocation of an earlier instant came no longer counts and can be asked for.
func TestHistoryAfterRevocation(t *testing.T) {
	var h History
	for _, o := range []*Object{
		version(t, "2026-01-01T00:00:00.000Z", ""), version(t, "2026-01-05T00:00:00.000Z", ""),
		version(t, "2026-01-04T00:00:00.000Z", `"revoked":true`), version(t, "2026-01-02T00:00:00.000Z", `"revoked":true`),
	} {
		if added, err := h.Add(o); !added || err != nil {
			t.Fatalf("%v, %v", added, err)
		}
	}
	var late []string
	for _, v := range h.AfterRevocation() {
		late = append(late, v.Version().String())
	}
	if diff := cmp.Diff([]string{"2026-01-04T00:00:00.000Z", "2026-01-05T00:00:00.000Z"}, late); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if last := h.Last(); !last.Revoked || last.Version().String() != "2026-01-02T00:00:00.000Z" || !h.Revoked() {
		t.Errorf("the current state is %s", last.Raw)
	}
	if added, err := h.Add(version(t, "2026-01-05T00:00:00.000Z", "")); added || ruleOf(t, err) != RuleAfterRevocation {
		t.Errorf("a version that no longer counts is taken again: %v, %v", added, err)
	}
}

func TestHistoryCreator(t *testing.T) {
	first, later := version(t, "2026-01-01T00:00:00.000Z", ""), version(t, "2026-01-02T00:00:00.000Z", "")
	anonymous := parsed(t, versionedObject("tool", `"name":"n"`))
	foreign := parsed(t, strings.Replace(string(later.Raw), testIdentity, string(otherIdentity), 1))
	for _, c := range []struct {
		name      string
		held      *Object
		object    *Object
		submitter Identifier
		added     bool
		rule      string
	}{
		{"by the creator", nil, first, testIdentity, true, ""},
		{"later, by the creator", first, later, testIdentity, true, ""},
		{"by another", nil, first, otherIdentity, false, RuleNotCreator},
		{"later, by another", first, later, otherIdentity, false, RuleNotCreator},
		{"by nobody", first, later, "", false, RuleNotCreator},
		{"unchanged, by another", first, first, otherIdentity, false, ""},
		{"taken over", first, foreign, otherIdentity, false, RuleCreatorChanged},
		{"given away", first, foreign, testIdentity, false, RuleCreatorChanged},
		{"anonymous", nil, anonymous, testIdentity, false, RuleNotCreator},
		{"anonymous, by nobody", nil, anonymous, "", false, RuleNotCreator},
		{"anonymous, unchanged", anonymous, anonymous, "", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h History
			if c.held != nil {
				if _, err := h.Add(c.held); err != nil {
					t.Fatal(err)
				}
			}
			added, err := h.AddBy(c.object, c.submitter)
			if rule := ruleOf(t, err); added != c.added || rule != c.rule {
				t.Errorf("added %v, rule %q; want %v, %q", added, rule, c.added, c.rule)
			}
		})
	}
}

// arrivals makes some versions of an object out of few instants, with repetitions, revocations and conflicting content.
func arrivals(t testing.TB, random *rand.Rand) []*Object {
	var objects []*Object
	for range random.IntN(12) {
		fraction := strings.Repeat("0", random.IntN(3))
		members := []string{`"name":"a"`, `"name":"b"`, `"name":"a","lang":"en"`}[random.IntN(8)%3]
		if random.IntN(6) == 0 {
			members += `,"revoked":true`
		}
		objects = append(objects, version(t, fmt.Sprintf("2026-01-0%dT00:00:00.1%sZ", 1+random.IntN(6), fraction), members))
	}
	return objects
}

// Whatever the order and however often versions arrive, the history says the same, and a second delivery changes nothing.
func TestHistoryAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 6))
	for range 2000 {
		objects := consistent(arrivals(t, random))
		want := historyOf(objects)
		for range 4 {
			random.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
			h := historyOf(append(slices.Clone(objects), objects...))
			if diff := cmp.Diff(state(want), state(h)); diff != "" {
				t.Fatalf("the state depends on the order (-want +got):\n%s", diff)
			}
		}
	}
}

func historyOf(objects []*Object) *History {
	h := new(History)
	for _, o := range objects {
		_, _ = h.Add(o) // what is refused is the subject of other tests
	}
	return h
}

// consistent drops objects that say something else about revocation than another at their instant: then it is decided
// by who comes first, as the standard leaves it undefined. Of equal content one text is kept, as its first bytes stay.
func consistent(objects []*Object) []*Object {
	first := map[string]*Object{}
	var kept []*Object
	for _, o := range objects {
		key := o.Version().SortKey()
		held, found := first[key]
		if !found {
			first[key] = o
		} else if held.Revoked != o.Revoked || SameContent(held, o) && string(held.Raw) != string(o.Raw) {
			continue
		}
		kept = append(kept, o)
	}
	return kept
}

func FuzzHistory(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Add(uint64(7), uint64(9))
	f.Fuzz(func(t *testing.T, seed, order uint64) {
		objects := consistent(arrivals(t, rand.New(rand.NewPCG(seed, 1))))
		want := historyOf(objects)
		rand.New(rand.NewPCG(order, 2)).Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
		got := historyOf(objects)
		if diff := cmp.Diff(state(want), state(got)); diff != "" {
			t.Errorf("the state depends on the order (-want +got):\n%s", diff)
		}
		for i, v := range got.All() {
			if i > 0 && got.All()[i-1].Version().Compare(v.Version()) >= 0 {
				t.Errorf("version %d is not later than the one before it", i)
			}
			if v.Revoked && i < len(got.All())-1 {
				t.Errorf("version %d is revoked and has later ones", i)
			}
		}
	})
}
