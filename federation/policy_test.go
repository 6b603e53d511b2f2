package federation

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// policyVector is one of the official test vectors: a policy of a trust anchor, one of an intermediate, and what becomes
// of some metadata.
type policyVector struct {
	N        int             `json:"n"`
	Superior json.RawMessage `json:"TA"`
	Middle   json.RawMessage `json:"INT"`
	Merged   json.RawMessage `json:"merged"`
	Metadata json.RawMessage `json:"metadata"`
	Resolved json.RawMessage `json:"resolved"`
	Error    PolicyErrorKind `json:"error"`
}

// vectorType stands for the entity type, which the vectors leave out.
const vectorType = "openid_relying_party"

// corpus returns the path of a file of the shared test data, which stands beside the repository.
func corpus(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("SKJOLD_TEST_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "corpus")
	}
	file := filepath.Join(dir, name)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("no shared test data: %v (set SKJOLD_TEST_CORPUS to the corpus directory)", err)
	}
	return file
}

func TestMetadataPolicyVectors(t *testing.T) {
	content, err := os.ReadFile(corpus(t, "metadata-policy-vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []policyVector
	if err := json.Unmarshal(content, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 2019 {
		t.Errorf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		v.check(t)
	}
}

func (v policyVector) check(t *testing.T) {
	t.Helper()
	merged, err := v.merge()
	if v.Merged != nil {
		if err != nil {
			t.Errorf("vector %d: merge: %v", v.N, err)
			return
		}
		if diff := cmp.Diff(wrapped(v.Merged), asJSON(t, merged)); diff != "" {
			t.Errorf("vector %d: merged (-want +got):\n%s", v.N, diff)
		}
	}
	var resolved Metadata
	if err == nil {
		resolved, err = merged.Apply(metadataOf(t, v.Metadata))
	}
	var fault *PolicyError
	switch {
	case v.Error == "" && err != nil:
		t.Errorf("vector %d: %v", v.N, err)
	case v.Error != "" && (!errors.As(err, &fault) || fault.Kind != v.Error):
		t.Errorf("vector %d: %v, want %s", v.N, err, v.Error)
	case v.Error == "":
		if diff := cmp.Diff(wrapped(v.Resolved), asJSON(t, resolved)); diff != "" {
			t.Errorf("vector %d: resolved (-want +got):\n%s", v.N, diff)
		}
	}
}

func (v policyVector) merge() (MetadataPolicy, error) {
	superior, err := parsePolicyText(v.Superior)
	if err != nil {
		return MetadataPolicy{}, err
	}
	middle, err := parsePolicyText(v.Middle)
	if err != nil {
		return MetadataPolicy{}, err
	}
	return superior.Merge(middle)
}

func parsePolicyText(parameters []byte) (MetadataPolicy, error) {
	claim, err := jose.ParseObject([]byte(`{"` + vectorType + `":` + string(parameters) + `}`))
	if err != nil {
		return MetadataPolicy{}, err
	}
	return ParseMetadataPolicy(claim, nil)
}

func metadataOf(t testing.TB, parameters []byte) Metadata {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(parameters, &m); err != nil {
		t.Fatal(err)
	}
	return Metadata{vectorType: m}
}

// wrapped is decoded JSON below the entity type.
func wrapped(text []byte) any {
	var v any
	if json.Unmarshal(text, &v) != nil {
		return nil
	}
	return map[string]any{vectorType: v}
}

func asJSON(t testing.TB, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestMetadataPolicyFaults are cases that the official vectors leave out.
func TestMetadataPolicyFaults(t *testing.T) {
	for name, c := range map[string]struct {
		superior, subordinate, metadata string
		want                            PolicyErrorKind // "" for none
		resolved                        string
	}{
		"an operator that is no object":           {superior: `{"p":1}`, want: InvalidPolicy},
		"add that is no array":                    {superior: `{"p":{"add":"a"}}`, want: InvalidPolicy},
		"essential that is no boolean":            {superior: `{"p":{"essential":1}}`, want: InvalidPolicy},
		"a default of null":                       {superior: `{"p":{"default":null}}`, want: InvalidPolicy},
		"one_of of nothing":                       {superior: `{"p":{"one_of":[]}}`, want: InvalidPolicy},
		"one_of beside subset_of":                 {superior: `{"p":{"one_of":["a"],"subset_of":["a"]}}`, want: InvalidPolicy},
		"one_of of which nothing remains":         {superior: `{"p":{"one_of":["a"]}}`, subordinate: `{"p":{"one_of":["b"]}}`, want: InvalidPolicy},
		"a value that is no list beside add":      {superior: `{"p":{"value":"a","add":["a"]}}`, want: InvalidPolicy},
		"an unknown operator that is passed over": {superior: `{"p":{"matches":"^a"}}`, metadata: `{"p":"b"}`, resolved: `{"p":"b"}`},
		"add to what is no list":                  {superior: `{"p":{"add":["a"]}}`, metadata: `{"p":"b"}`, want: InvalidMetadata},
		"subset_of what is no list":               {superior: `{"p":{"subset_of":["a"]}}`, metadata: `{"p":"a"}`, want: InvalidMetadata},
		"numbers are compared as numbers":         {superior: `{"p":{"one_of":[1.0,2]}}`, metadata: `{"p":1e0}`, resolved: `{"p":1}`},
		"large numbers are compared exactly":      {superior: `{"p":{"one_of":[9007199254740993]}}`, metadata: `{"p":9007199254740992}`, want: InvalidMetadata},
		"escapes do not matter":                   {superior: `{"p":{"one_of":["\u0061"]}}`, metadata: `{"p":"a"}`, resolved: `{"p":"a"}`},
		"members in any order": {superior: `{"p":{"one_of":[{"a":1,"b":[2]}]}}`, metadata: `{"p":{"b":[2],"a":1}}`,
			resolved: `{"p":{"a":1,"b":[2]}}`},
		"scope is a list in a string":         {superior: `{"scope":{"subset_of":["a","b"]}}`, metadata: `{"scope":"c b a"}`, resolved: `{"scope":"b a"}`},
		"scope gets more":                     {superior: `{"scope":{"add":["a"]}}`, metadata: `{"scope":"b"}`, resolved: `{"scope":"b a"}`},
		"scope lacks what is demanded":        {superior: `{"scope":{"superset_of":["a"]}}`, metadata: `{"scope":"b"}`, want: InvalidMetadata},
		"essential cannot be taken back":      {superior: `{"p":{"essential":true}}`, subordinate: `{"p":{"essential":false}}`, metadata: `{}`, want: InvalidMetadata},
		"a subordinate cannot widen":          {superior: `{"p":{"subset_of":["a"]}}`, subordinate: `{"p":{"subset_of":["a","b"]}}`, metadata: `{"p":["a","b"]}`, resolved: `{"p":["a"]}`},
		"the same value in another order":     {superior: `{"p":{"value":["a","b"]}}`, subordinate: `{"p":{"value":["b","a"]}}`, want: InvalidPolicy},
		"the policy of another entity type":   {metadata: `{"p":"a"}`, superior: `{}`, resolved: `{"p":"a"}`},
		"a parameter of the subordinate only": {superior: `{}`, subordinate: `{"p":{"default":"d"}}`, metadata: `{}`, resolved: `{"p":"d"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if c.subordinate == "" {
				c.subordinate = "{}"
			}
			if c.metadata == "" {
				c.metadata = "{}"
			}
			policy, err := policyVector{Superior: []byte(c.superior), Middle: []byte(c.subordinate)}.merge()
			var resolved Metadata
			if err == nil {
				resolved, err = policy.Apply(metadataOf(t, []byte(c.metadata)))
			}
			var fault *PolicyError
			switch {
			case c.want != "" && (!errors.As(err, &fault) || fault.Kind != c.want):
				t.Errorf("got %v, want %s", err, c.want)
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "":
				if diff := cmp.Diff(wrapped([]byte(c.resolved)), asJSON(t, resolved)); diff != "" {
					t.Errorf("resolved (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestCriticalOperators(t *testing.T) {
	for _, critical := range [][]string{{}, {"matches"}, {"value"}} {
		claim, err := jose.ParseObject([]byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		var fault *PolicyError
		if _, err := ParseMetadataPolicy(claim, critical); !errors.As(err, &fault) || fault.Kind != InvalidPolicy {
			t.Errorf("metadata_policy_crit %q: %v", critical, err)
		}
	}
}

// FuzzMetadataPolicy: whatever two superiors say, merging is bounded and without a panic, what a policy writes is read
// back as the same policy, merging with itself changes nothing, and applying twice is applying once.
func FuzzMetadataPolicy(f *testing.F) {
	f.Add(`{"p":{"value":["a"],"add":["a"],"essential":true}}`, `{"p":{"subset_of":["a","b"],"default":["a"]}}`, `{"p":["a","c"]}`)
	f.Add(`{"scope":{"one_of":["a b"]}}`, `{"scope":{"value":null}}`, `{"scope":"a b"}`)
	f.Add(`{"p":{"superset_of":[1,1.0,{"a":-0.0}]}}`, `{}`, `{"p":[1,{"a":0}]}`)
	f.Fuzz(func(t *testing.T, superior, subordinate, metadata string) {
		policy, err := policyVector{Superior: []byte(superior), Middle: []byte(subordinate)}.merge()
		if err != nil {
			return
		}
		again, err := policy.Merge(policy)
		if err != nil {
			t.Fatalf("merging with itself: %v", err)
		}
		if diff := cmp.Diff(asJSON(t, policy), asJSON(t, again)); diff != "" {
			t.Fatalf("merging with itself changes it:\n%s", diff)
		}
		o, err := jose.ParseObject([]byte(metadata))
		if err != nil {
			return
		}
		given := make(map[string]json.RawMessage)
		for _, name := range o.Names() {
			given[name] = o.Member(name)
		}
		once, err := policy.Apply(Metadata{vectorType: given})
		if err != nil {
			return
		}
		twice, err := policy.Apply(once)
		if err != nil {
			t.Fatalf("what the policy made does not meet it: %v", err)
		}
		if diff := cmp.Diff(asJSON(t, once), asJSON(t, twice)); diff != "" {
			t.Fatalf("applying twice differs:\n%s", diff)
		}
	})
}
