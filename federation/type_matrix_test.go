package federation

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// tokenKind is a typ of the federation: a right token of it and the function that takes it.
type tokenKind struct {
	typ    string
	token  string
	verify func(compact string) error
}

// tokenKinds makes a token of every typ, all by one key of one entity that may sign each of them: a founder, an anchor's
// peer, an issuer of marks and statements. Nothing but typ tells them apart.
func tokenKinds(t *testing.T) (kinds []tokenKind, key *jose.Key) {
	t.Helper()
	p := parties()
	a, b := p[0].id, p[1].id
	key, anchorKey := p[0].key, p[1].key
	keys := keySet(key)
	must := func(compact string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return compact
	}
	add := func(typ, token string, verify func(string) error) {
		kinds = append(kinds, tokenKind{typ, token, verify})
	}

	add(statementType, must(EntityConfiguration{Statement: Statement{Subject: a, Keys: keys}}.Sign(key, testNow)), func(c string) error {
		_, err := VerifyEntityConfiguration(c, testNow)
		return err
	})
	add(statementType, must(NodeConfiguration{Entity: a, Keys: Keys{Federation: key, Request: anchorKey}}.Sign(testNow)), func(c string) error {
		_, err := VerifyConfiguration(c, a, key.ID(), testNow)
		return err
	})
	add(statementType, must(SubordinateStatement{Statement: Statement{Issuer: a, Subject: b, Keys: keys}}.Sign(key, testNow)), func(c string) error {
		_, err := VerifySubordinateStatement(c, keys, testNow)
		return err
	})
	const markType = "https://federation.example/mark"
	add(trustMarkType, must(TrustMark{Issuer: a, Subject: b, Type: markType}.Sign(key, testNow)), func(c string) error {
		anchor := &EntityConfiguration{Statement: Statement{Subject: a, Keys: keys}, TrustMarkIssuers: map[string][]EntityID{markType: {a}}}
		_, err := VerifyTrustMark(TrustMarkClaim{Type: markType, Mark: c}, b, TrustMarkOptions{Anchor: anchor, Now: testNow})
		return err
	})
	add(delegationType, must(TrustMarkDelegation{Owner: a, Issuer: b, Type: markType}.Sign(key, testNow)), func(c string) error {
		return checkDelegation(&TrustMark{Issuer: b, Type: markType, Delegation: c}, TrustMarkOwner{Subject: a, Keys: keys}, testNow)
	})
	resolved := ResolveResponse{Issuer: a, Subject: b, IssuedAt: testNow, Expires: testNow.Add(time.Hour), Metadata: Metadata{}, TrustChain: []string{"a.b.c"}}
	add(resolveType, must(resolved.Sign(key)), func(c string) error {
		_, err := VerifyResolveResponse(c, a, keys, testNow)
		return err
	})
	add(historicalKeysType, must(SignHistoricalKeys(a, nil, key, testNow)), func(c string) error {
		_, err := VerifyHistoricalKeys(c, a, keys, testNow)
		return err
	})
	add(requestType, requestTo(t, a, b, key), func(c string) error { return acceptRequest(t, a, b, keys, c) })
	return append(kinds, recordKinds(t, a, b, key, anchorKey)...), key
}

// requestTo is the request token of GET https://b/x.
func requestTo(t *testing.T, a, b EntityID, key *jose.Key) string {
	t.Helper()
	r := httptest.NewRequest("GET", string(b)+"/x", nil)
	signer := &Signer{Entity: a, Key: key, Now: func() time.Time { return testNow }}
	if err := signer.SignRequest(r, b, nil); err != nil {
		t.Fatal(err)
	}
	token, _ := bearer(r.Header.Get("Authorization"))
	return token
}

func acceptRequest(t *testing.T, a, b EntityID, keys jose.KeySet, token string) error {
	t.Helper()
	jwks, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(VerifierOptions{
		Self: b, Peers: pins{a: {Entity: a, JWKS: jwks}}, Now: func() time.Time { return testNow }, Start: testNow.Add(-time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/x", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	_, err = v.Verify(r)
	return err
}

// recordKinds are the federation's own records.
func recordKinds(t *testing.T, a, b EntityID, key, anchorKey *jose.Key) (kinds []tokenKind) {
	t.Helper()
	must := func(compact string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return compact
	}
	add := func(typ, token string, verify func(string) error) {
		kinds = append(kinds, tokenKind{typ, token, verify})
	}
	charter := &Charter{
		Version: 1, IssuedAt: testNow.Add(-time.Hour).Unix(), Name: "One", Rules: DefaultRules(),
		Founders: []Founder{{a, "One", keySet(key)}}, Anchors: []Anchor{{b, keySet(anchorKey)}},
	}
	add(charterType, must(SignCharter(charter, key)), func(c string) error {
		record, err := json.Marshal([]string{c})
		if err != nil {
			t.Fatal(err)
		}
		s, err := ReadCharter(record)
		if err != nil {
			return err
		}
		return s.follows(nil)
	})
	nomination := Nomination{
		Founder: a, Subject: "https://www.city.example", OrgID: "cvr:1", Name: "City", Class: "company", Hub: b, Keys: []string{key.ID()},
		Declaration: Declaration{URL: "https://www.city.example/", SHA256: hashOf(nil)},
	}
	nominated := must(nomination.Sign(key, testNow))
	add(nominationType, nominated, func(c string) error {
		_, err := verifyNomination(c, charter)
		return err
	})
	add(keyProofType, must(SignKeyProof(nomination.Subject, b, "AAAAAAAAAAAAAAAAAAAAAA", nominated, key, testNow)), func(c string) error {
		_, err := VerifyKeyProof(c, nominated, &nomination, testNow)
		return err
	})
	proposal := &Proposal{Kind: Expulsion, Charter: charter.Hash(), IssuedAt: testNow.Unix(), Subject: nomination.Subject}
	add(voteType, must(SignVote(a, proposal, For, key, testNow)), func(c string) error {
		_, err := VerifyVote(c, proposal, charter)
		return err
	})
	add(suspensionType, must(SuspensionOrder{Issuer: a, Subject: nomination.Subject, Reason: "x"}.Sign(key, testNow)), func(c string) error {
		_, err := verifySuspension(c, charter)
		return err
	})
	add(rotationType, must(SignKeyRotation(a, []string{key.ID()}, key, testNow)), func(c string) error {
		_, err := verifyRotation(c)
		return err
	})
	return append(kinds, revocationKind(t, charter, a, b, key))
}

// revocationKind is the list of an anchor whose key is that of the matrix: of a charter of its own.
func revocationKind(t *testing.T, charter *Charter, a, b EntityID, key *jose.Key) tokenKind {
	t.Helper()
	other := *charter
	other.Founders = []Founder{{a, "One", keySet(parties()[2].key)}}
	other.Anchors = []Anchor{{b, keySet(key)}}
	signature, err := SignCharter(&other, parties()[2].key)
	if err != nil {
		t.Fatal(err)
	}
	record, err := (&SignedCharter{Charter: &other, Signatures: []string{signature}}).Record()
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := OpenLedger(other.Hash(), memoryRecords{})
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, ledger, record)
	list, err := SignRevocationList(ledger, nil, b, key, testNow)
	if err != nil {
		t.Fatal(err)
	}
	return tokenKind{revocationType, list.Compact(), func(c string) error {
		_, err := VerifyRevocationList(c, &other)
		return err
	}}
}

// TestTypeMatrix: every function accepts tokens of its own typ and of no other, neither a token that is right for another
// function nor its own claims under another typ.
func TestTypeMatrix(t *testing.T) {
	kinds, key := tokenKinds(t)
	types := []string{"stix-origin+jwt", "stix-withdrawal+jwt", "trust-mark-status-response+jwt", "JWT"}
	for _, k := range kinds {
		types = append(types, k.typ)
	}
	for _, k := range kinds {
		if err := k.verify(k.token); err != nil {
			t.Errorf("%s: the right token is refused: %v", k.typ, err)
			continue
		}
		u, err := jose.Parse(k.token, k.typ, maxResolveResponse)
		if err != nil {
			t.Fatal(err)
		}
		for _, typ := range types {
			if typ == k.typ {
				continue
			}
			disguised, err := jose.Sign(u.Claims.Raw(), key, typ)
			if err != nil {
				t.Fatal(err)
			}
			wantBadType(t, k.verify(disguised), "the claims of a "+k.typ+" as a "+typ)
		}
		for _, other := range kinds {
			if other.typ != k.typ {
				wantBadType(t, k.verify(other.token), "a "+other.typ+" as a "+k.typ)
			}
		}
	}
	if len(kinds) != 15 {
		t.Errorf("%d kinds", len(kinds))
	}
}

func wantBadType(t *testing.T, err error, what string) {
	t.Helper()
	if jose.ReasonOf(err) != jose.BadType && ReasonOf(err) != Reason(jose.BadType) {
		t.Errorf("%s: got %v, want a refusal for its typ", what, err)
	}
}

// TestStatementKinds: the two kinds of entity statement have one typ, and neither passes for the other.
func TestStatementKinds(t *testing.T) {
	kinds, _ := tokenKinds(t)
	for i, name := range []string{"entity configuration", "pinned configuration", "subordinate statement"} {
		for j := range 3 {
			err := kinds[i].verify(kinds[j].token)
			if accepted, want := err == nil, i == j || i == 0 && j == 1; accepted != want {
				t.Errorf("token %d as %s: accepted is %v: %v", j, name, accepted, err)
			}
		}
	}
}
