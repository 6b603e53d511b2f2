package federation

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// party is an entity of a chain: its federation keys and what it says.
type party struct {
	id  EntityID
	key *jose.Key
}

// parties are made once per process, from the anchor down.
var parties = func() func() [5]party {
	var made [5]party
	return func() [5]party {
		for i, id := range []EntityID{"https://anchor.example", "https://region.hub.example", "https://hub.example", "https://www.city.example", "https://stranger.example"} {
			if made[i].key == nil {
				key, err := jose.GenerateKey(jose.EdDSA)
				if err != nil {
					panic(err)
				}
				made[i] = party{id, key}
			}
		}
		return made
	}
}()

func keySet(keys ...*jose.Key) jose.KeySet {
	set, err := JWKS(keys...)
	if err != nil {
		panic(err)
	}
	return set
}

// chainRig is a chain of three levels whose parts a test may change before it is signed.
type chainRig struct {
	leaf   EntityConfiguration
	below  [3]SubordinateStatement // hub about city, region about hub, anchor about region
	anchor EntityConfiguration
	signer [5]*jose.Key // of the chain's statements
	edit   func(statements []string) []string
	opts   ChainOptions
}

func newChainRig() *chainRig {
	p := parties()
	anchor, region, hub, city := p[0], p[1], p[2], p[3]
	node := map[string]json.RawMessage{
		"api_root": json.RawMessage(`"https://www.city.example/taxii2/main/"`), "org_id": json.RawMessage(`"cvr:self"`),
		"identity_ids": json.RawMessage(`["identity--1","identity--2"]`), "regions": json.RawMessage(`["a","b"]`),
	}
	r := &chainRig{signer: [5]*jose.Key{city.key, hub.key, region.key, anchor.key, anchor.key}}
	r.leaf = EntityConfiguration{
		Statement:      Statement{Subject: city.id, Keys: keySet(city.key), Metadata: Metadata{nodeType: node}},
		AuthorityHints: []EntityID{hub.id},
	}
	r.below[0] = SubordinateStatement{Statement: Statement{Issuer: hub.id, Subject: city.id, Keys: keySet(city.key)}}
	r.below[1] = SubordinateStatement{Statement: Statement{Issuer: region.id, Subject: hub.id, Keys: keySet(hub.key)}}
	r.below[2] = SubordinateStatement{Statement: Statement{Issuer: anchor.id, Subject: region.id, Keys: keySet(region.key)}}
	r.anchor = EntityConfiguration{Statement: Statement{Subject: anchor.id, Keys: keySet(anchor.key)}}
	r.opts = ChainOptions{Anchors: []TrustAnchor{{anchor.id, []string{anchor.key.ID()}}}, Now: testNow.Add(time.Minute)}
	return r
}

// verify signs the parts and checks the chain.
func (r *chainRig) verify(t testing.TB) (*TrustChain, error) {
	t.Helper()
	statements := make([]string, 5)
	var errs [5]error
	statements[0], errs[0] = r.leaf.Sign(r.signer[0], testNow)
	for i := range r.below {
		statements[i+1], errs[i+1] = r.below[i].Sign(r.signer[i+1], testNow)
	}
	statements[4], errs[4] = r.anchor.Sign(r.signer[4], testNow)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	if r.edit != nil {
		statements = r.edit(statements)
	}
	return VerifyTrustChain(statements, r.opts)
}

func policyOf(t testing.TB, text string) MetadataPolicy {
	t.Helper()
	claim, err := jose.ParseObject([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParseMetadataPolicy(claim, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTrustChain(t *testing.T) {
	r := newChainRig()
	r.below[0].Metadata = Metadata{
		nodeType: {"org_id": json.RawMessage(`"cvr:12345678"`)}, "trust_mark_issuer": {"name": json.RawMessage(`"x"`)},
	}
	r.below[0].Policy = policyOf(t, `{"taxii_node":{"identity_ids":{"subset_of":["identity--2","identity--3"]}}}`)
	r.below[2].Policy = policyOf(t, `{"taxii_node":{"regions":{"add":["dk"]},"contact":{"default":"cert@example.dk"}}}`)
	r.below[1].Expires = testNow.Add(time.Hour)
	c, err := r.verify(t)
	if err != nil {
		t.Fatal(err)
	}
	if c.Entity != "https://www.city.example" || c.Anchor != "https://anchor.example" || c.OrgID() != "cvr:12345678" {
		t.Errorf("chain of %s to %s, org_id %q", c.Entity, c.Anchor, c.OrgID())
	}
	if want := testNow.Add(time.Hour).Truncate(time.Second); !c.Expires.Equal(want) {
		t.Errorf("expires %s, want that of the shortest statement, %s", c.Expires, want)
	}
	for parameter, want := range map[string]string{"identity_ids": `["identity--2"]`, "regions": `["a","b","dk"]`, "contact": `"cert@example.dk"`} {
		if got := string(c.Metadata[nodeType][parameter]); got != want {
			t.Errorf("%s is %s, want %s", parameter, got, want)
		}
	}
	if _, has := c.Metadata["trust_mark_issuer"]; has {
		t.Error("a superior gave the entity an entity type that it does not claim")
	}
}

func TestWhatNobodyConfirmsIsNotBelieved(t *testing.T) {
	c, err := newChainRig().verify(t)
	if err != nil {
		t.Fatal(err)
	}
	if _, has := c.Metadata[nodeType]["identity_ids"]; has || c.OrgID() != "" {
		t.Errorf("the entity's own word counts: %s, %q", c.Metadata[nodeType]["identity_ids"], c.OrgID())
	}
}

// TestTrustChainRefusals: each fault by itself, with a word of the reason, since any fault would do otherwise.
func TestTrustChainRefusals(t *testing.T) {
	p := parties()
	stranger := p[4]
	none, one := 0, 1
	for name, c := range map[string]struct {
		change func(*chainRig)
		want   string
	}{
		"an anchor that is not pinned":         {func(r *chainRig) { r.opts.Anchors[0].Entity = stranger.id }, "no pinned anchor"},
		"a key of the anchor that is not":      {func(r *chainRig) { r.opts.Anchors[0].Thumbprints = []string{stranger.key.ID()} }, "no pinned anchor"},
		"an anchor's statement by another key": {func(r *chainRig) { r.signer[3] = stranger.key }, "unknown-key"},
		"a hub's statement by another key":     {func(r *chainRig) { r.signer[1] = stranger.key }, "unknown-key"},
		"a leaf with a key of its own choice": {func(r *chainRig) {
			r.leaf.Keys, r.signer[0] = keySet(stranger.key), stranger.key
		}, "does not confirm"},
		"a leaf that does not know its superior": {func(r *chainRig) { r.leaf.AuthorityHints = []EntityID{stranger.id} }, "as its superior"},
		"another leaf":                           {func(r *chainRig) { r.leaf.Subject = stranger.id }, "the statement above it is about"},
		"a statement about somebody else":        {func(r *chainRig) { r.below[1].Subject = stranger.id }, "the statement above it is about"},
		"a statement by somebody else":           {func(r *chainRig) { r.below[0].Issuer = stranger.id }, "the statement above it is about"},
		"an entity twice": {func(r *chainRig) {
			r.below[0].Subject, r.below[0].Keys = p[1].id, keySet(p[1].key)
		}, "twice"},
		"a statement that has ended": {func(r *chainRig) {
			r.below[1].IssuedAt, r.below[1].Expires = testNow.Add(-2*time.Hour), testNow.Add(-time.Hour)
		}, "expired"},
		"a statement of the future": {func(r *chainRig) { r.below[1].IssuedAt = testNow.Add(time.Hour) }, "not-yet-valid"},
		"a statement that lives too long": {func(r *chainRig) {
			r.below[1].IssuedAt, r.below[1].Expires = testNow, testNow.Add(25*time.Hour)
		}, "at most 24h"},
		"a path that is too long":          {func(r *chainRig) { r.below[2].Constraints.MaxPathLength = &one }, "intermediates"},
		"no intermediates at all":          {func(r *chainRig) { r.below[1].Constraints.MaxPathLength = &none }, "intermediates"},
		"a name that is excluded":          {func(r *chainRig) { r.below[2].Constraints.Excluded = []string{".city.example"} }, "excluded"},
		"a name that is not permitted":     {func(r *chainRig) { r.below[0].Constraints.Permitted = []string{".hub.example"} }, "not permitted"},
		"a hub's name that is not allowed": {func(r *chainRig) { r.below[2].Constraints.Permitted = []string{".example.dk"} }, "not permitted"},
		"a metadata policy that is not met": {func(r *chainRig) {
			r.below[2].Policy = policyOf(t, `{"taxii_node":{"region":{"essential":true}}}`)
		}, "essential"},
		"policies that contradict each other": {func(r *chainRig) {
			r.below[2].Policy = policyOf(t, `{"taxii_node":{"region":{"value":"a"}}}`)
			r.below[0].Policy = policyOf(t, `{"taxii_node":{"region":{"value":"b"}}}`)
		}, "different values"},
		"a statement that is missing":   {func(r *chainRig) { r.edit = func(s []string) []string { return append(s[:2:2], s[3:]...) } }, "unknown-key"},
		"nothing but the ends":          {func(r *chainRig) { r.edit = func(s []string) []string { return []string{s[0], s[4]} } }, "at least"},
		"a chain without end":           {func(r *chainRig) { r.edit = func(s []string) []string { return append(s, s...) } }, "deep"},
		"more bytes than may be":        {func(r *chainRig) { r.edit = func(s []string) []string { s[1] = strings.Repeat("A", 65<<10); return s } }, "bytes"},
		"statements in the other order": {func(r *chainRig) { r.edit = func(s []string) []string { s[1], s[2] = s[2], s[1]; return s } }, "unknown-key"},
		"an admission that is refused": {func(r *chainRig) {
			r.opts.Admission = func(superior EntityID, s *SubordinateStatement) error {
				if s.Subject == p[3].id {
					return errors.New("nobody voted for it")
				}
				return nil
			}
		}, "nobody voted"},
		"a key that is revoked": {func(r *chainRig) {
			r.opts.Revoked = func(_ EntityID, kid string, _ time.Time) error {
				if kid == p[2].key.ID() {
					return errors.New("this key was revoked")
				}
				return nil
			}
		}, "key was revoked"},
		"an entity that is revoked": {func(r *chainRig) {
			r.opts.Revoked = func(id EntityID, kid string, _ time.Time) error {
				if id == p[3].id && kid == "" {
					return errors.New("it was expelled")
				}
				return nil
			}
		}, "expelled"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newChainRig()
			c.change(r)
			if _, err := r.verify(t); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestChainBounds: what is just allowed.
func TestChainBounds(t *testing.T) {
	two := 2
	r := newChainRig()
	r.below[2].Constraints = Constraints{
		MaxPathLength: &two, Permitted: []string{".hub.example", "hub.example", "www.city.example"}, Excluded: []string{".www.city.example"},
		AllowedEntityTypes: []string{nodeType},
	}
	r.leaf.Metadata["openid_provider"] = map[string]json.RawMessage{}
	r.leaf.Metadata[federationEntityType] = map[string]json.RawMessage{}
	c, err := r.verify(t)
	if err != nil {
		t.Fatal(err)
	}
	if _, has := c.Metadata["openid_provider"]; has || c.Metadata[nodeType] == nil || c.Metadata[federationEntityType] == nil {
		t.Errorf("entity types %v; taxii_node and federation_entity are allowed", c.Metadata)
	}
}

// TestStatementClaims: claims of a wrong form, or in the wrong kind of statement, are refused.
func TestStatementClaims(t *testing.T) {
	p := parties()
	anchor, city := p[0], p[3]
	jwks, err := json.Marshal(keySet(city.key))
	if err != nil {
		t.Fatal(err)
	}
	configuration := func(claims string) error {
		compact, err := jose.Sign([]byte(`{"iss":"https://www.city.example","sub":"https://www.city.example","iat":1800000000,"exp":1800003600,"jwks":`+
			string(jwks)+claims+`}`), city.key, statementType)
		if err != nil {
			t.Fatal(err)
		}
		_, err = VerifyEntityConfiguration(compact, testNow)
		return err
	}
	statement := func(claims string) error {
		compact, err := jose.Sign([]byte(`{"iss":"https://anchor.example","sub":"https://www.city.example","iat":1800000000,"exp":1800003600,"jwks":`+
			string(jwks)+claims+`}`), anchor.key, statementType)
		if err != nil {
			t.Fatal(err)
		}
		_, err = VerifySubordinateStatement(compact, keySet(anchor.key), testNow)
		return err
	}
	for claims, want := range map[string]string{
		``: "", `,"future_claim":{"a":1}`: "", `,"metadata":{"taxii_node":{}}`: "",
		`,"authority_hints":["https://a.example"]`: "",
		`,"authority_hints":[]`:                    "1 to 3",
		`,"authority_hints":["https://a.example","https://b.example","https://c.example","https://d.example"]`: "1 to 3",
		`,"authority_hints":["https://a.example","https://a.example"]`:                                         "twice",
		`,"authority_hints":["http://127.0.0.2"]`:                                                              "authority_hints",
		`,"authority_hints":"https://a.example"`:                                                               "form",
		`,"metadata":{"taxii_node":{"a":null}}`:                                                                "null",
		`,"metadata":[]`:                                                                                       "metadata",
		`,"metadata_policy":{}`:                                                                                "subordinate statements only",
		`,"constraints":{}`:                                                                                    "subordinate statements only",
		`,"crit":[]`:                                                                                           "at least one",
		`,"crit":["future_claim"],"future_claim":1`:                                                            "critical",
		`,"crit":["iss"]`:                                                                                      "critical",
		`,"trust_marks":{}`:                                                                                    "form",
	} {
		check(t, "configuration "+claims, configuration(claims), want)
	}
	for claims, want := range map[string]string{
		``: "", `,"constraints":{}`: "", `,"metadata_policy":{}`: "",
		`,"constraints":{"max_path_length":-1}`:                                     "negative",
		`,"constraints":{"max_path_length":"1"}`:                                    "form",
		`,"constraints":{"naming_constraints":{"permitted":["https://a.example"]}}`: "host name",
		`,"constraints":{"naming_constraints":{"excluded":["A.example"]}}`:          "host name",
		`,"constraints":{"naming_constraints":[]}`:                                  "object",
		`,"authority_hints":["https://a.example"]`:                                  "configurations only",
		`,"trust_mark_issuers":{}`:                                                  "configurations only",
		`,"metadata_policy":{},"metadata_policy_crit":["regexp"]`:                   "critical",
		`,"metadata_policy_crit":[]`:                                                "metadata_policy",
		`,"admission":"short"`:                                                      "SHA-256",
		`,"admission":"` + strings.Repeat("A", 43) + `"`:                            "",
		`,"admission":"` + strings.Repeat("A", 43) + `","crit":["admission"]`:       "",
		`,"crit":["admission"]`:                                                     "critical",
	} {
		check(t, "statement "+claims, statement(claims), want)
	}
}

func check(t *testing.T, what string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: got %v, want %q", what, err, want)
	}
}

// FuzzTrustChain: whatever is sent as a chain is refused without a panic, and within its bounds.
func FuzzTrustChain(f *testing.F) {
	r := newChainRig()
	good := make([]string, 0, 5)
	r.edit = func(s []string) []string { good = append(good, s...); return s }
	if _, err := r.verify(f); err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`["a.b.c"]`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, text []byte) {
		statements, err := ParseTrustChain(text)
		if err != nil {
			return
		}
		c, err := VerifyTrustChain(statements, r.opts)
		if err == nil && c.Entity != "https://www.city.example" {
			t.Errorf("a chain that nobody signed holds: %s", c.Entity)
		}
	})
}
