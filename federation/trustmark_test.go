package federation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/fedtest"
	"github.com/skjold-exchange/skjold/federation/jose"
)

// markRig is a mark of a requirement that the hub issues with the permit of its owner, and what a test may change of it.
type markRig struct {
	f                      *fedtest.Federation
	owner, issuer, subject *fedtest.Node
	mark                   federation.TrustMark
	markKey                *jose.Key
	delegation             federation.TrustMarkDelegation
	delegationKey          *jose.Key
	claimType              string
	anchor                 federation.EntityConfiguration
	delegated              bool
}

const backups = "https://federation.example/requirements/backups"

func newMarkRig(t testing.TB) *markRig {
	f, hub, inner, city, _ := region(t)
	ownerKeys, err := federation.JWKS(inner.Keys.Federation)
	if err != nil {
		t.Fatal(err)
	}
	anchorKeys, err := federation.JWKS(f.Anchor.Keys.Federation)
	if err != nil {
		t.Fatal(err)
	}
	r := &markRig{f: f, owner: inner, issuer: hub, subject: city, markKey: hub.Keys.Federation, delegationKey: inner.Keys.Federation, claimType: backups, delegated: true}
	r.mark = federation.TrustMark{Issuer: hub.ID, Subject: city.ID, Type: backups}
	r.delegation = federation.TrustMarkDelegation{Owner: inner.ID, Issuer: hub.ID, Type: backups}
	r.anchor = federation.EntityConfiguration{
		Statement:        federation.Statement{Subject: f.Anchor.ID, Keys: anchorKeys},
		TrustMarkIssuers: map[string][]federation.EntityID{backups: {hub.ID}},
		TrustMarkOwners:  map[string]federation.TrustMarkOwner{backups: {Subject: inner.ID, Keys: ownerKeys}},
	}
	return r
}

func (r *markRig) verify(t testing.TB) (*federation.TrustMark, error) {
	t.Helper()
	now := r.f.Clock.Now()
	if r.delegated {
		compact, err := r.delegation.Sign(r.delegationKey, now)
		if err != nil {
			t.Fatal(err)
		}
		r.mark.Delegation = compact
	}
	compact, err := r.mark.Sign(r.markKey, now)
	if err != nil {
		t.Fatal(err)
	}
	return federation.VerifyTrustMark(federation.TrustMarkClaim{Type: r.claimType, Mark: compact}, r.subject.ID, federation.TrustMarkOptions{
		Anchor: &r.anchor, Now: now,
		IssuerKeys: func(id federation.EntityID) (jose.KeySet, error) {
			for _, n := range r.f.Nodes {
				if n.ID == id {
					return federation.JWKS(n.Keys.Federation)
				}
			}
			return jose.KeySet{}, federation.ErrUnknownPeer
		},
	})
}

func TestTrustMark(t *testing.T) {
	r := newMarkRig(t)
	r.mark.Reference = "https://hub.example/about"
	m, err := r.verify(t)
	if err != nil {
		t.Fatal(err)
	}
	if m.Issuer != r.issuer.ID || m.Subject != r.subject.ID || m.SelfDeclared || m.Expires.Sub(m.IssuedAt) != 190*24*time.Hour || m.Reference == "" || m.Delegation == "" {
		t.Errorf("the mark %+v", m)
	}
	for name, change := range map[string]func(r *markRig){
		"the owner issues it itself": func(r *markRig) {
			r.delegated, r.mark.Issuer, r.markKey = false, r.owner.ID, r.owner.Keys.Federation
			r.anchor.TrustMarkIssuers[backups] = []federation.EntityID{r.owner.ID}
		},
		"a type that nobody owns": func(r *markRig) { r.delegated, r.anchor.TrustMarkOwners = false, nil },
		"a type that everybody issues": func(r *markRig) {
			r.anchor.TrustMarkIssuers[backups] = nil
		},
		"the anchor issues it": func(r *markRig) {
			r.delegated, r.anchor.TrustMarkOwners, r.mark.Issuer, r.markKey = false, nil, r.f.Anchor.ID, r.f.Anchor.Keys.Federation
			r.anchor.TrustMarkIssuers[backups] = []federation.EntityID{r.f.Anchor.ID}
		},
	} {
		r := newMarkRig(t)
		change(r)
		if m, err := r.verify(t); err != nil || m.SelfDeclared {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSelfDeclared: whatever a member says of itself is shown as that, also of a type that everybody may issue.
func TestSelfDeclared(t *testing.T) {
	for _, issuers := range []map[string][]federation.EntityID{nil, {backups: {}}, {backups: {"https://other.example"}}} {
		r := newMarkRig(t)
		r.delegated, r.anchor.TrustMarkIssuers = false, issuers
		r.mark.Issuer, r.markKey = r.subject.ID, r.subject.Keys.Federation
		if m, err := r.verify(t); err != nil || !m.SelfDeclared {
			t.Errorf("with the issuers %v: %+v, %v", issuers, m, err)
		}
	}
}

func TestBadTrustMarks(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *markRig)
		want   string
	}{
		"another subject":                      {func(r *markRig) { r.mark.Subject = r.owner.ID }, "it is about"},
		"another type than the claim":          {func(r *markRig) { r.claimType = backups + "2" }, "it is of the type"},
		"a type that the anchor does not know": {func(r *markRig) { r.anchor.TrustMarkIssuers = nil }, "knows no such type"},
		"an issuer that the anchor does not name": {func(r *markRig) {
			r.anchor.TrustMarkIssuers[backups] = []federation.EntityID{r.owner.ID}
		}, "does not let"},
		"an issuer that nobody knows": {func(r *markRig) { r.mark.Issuer = "http://127.0.0.1:1" }, "not trusted"},
		"another's key":               {func(r *markRig) { r.markKey = r.owner.Keys.Federation }, "unknown-key"},
		"a request key":               {func(r *markRig) { r.markKey = r.issuer.Keys.Request }, "unknown-key"},
		"too long a life":             {func(r *markRig) { r.mark.Expires = r.f.Clock.Now().Add(191 * 24 * time.Hour) }, "at most"},
		"a life that is over": {func(r *markRig) {
			r.mark.IssuedAt, r.mark.Expires = r.f.Clock.Now().Add(-2*time.Hour), r.f.Clock.Now().Add(-time.Hour)
		}, "expired"},
		"a life that has not begun":            {func(r *markRig) { r.mark.IssuedAt = r.f.Clock.Now().Add(time.Hour) }, "not-yet-valid"},
		"no delegation":                        {func(r *markRig) { r.delegated = false }, "has no delegation"},
		"a delegation of a type without owner": {func(r *markRig) { r.anchor.TrustMarkOwners = nil }, "names no owner"},
		"a delegation by another key":          {func(r *markRig) { r.delegationKey = r.issuer.Keys.Federation }, "delegation: unknown-key"},
		"a delegation by another owner":        {func(r *markRig) { r.delegation.Owner = r.subject.ID }, "delegation: it is by"},
		"a delegation to another issuer":       {func(r *markRig) { r.delegation.Issuer = r.subject.ID }, "delegation: it is for"},
		"a delegation of another type":         {func(r *markRig) { r.delegation.Type = backups + "2" }, "delegation: it is for the type"},
		"a delegation that is over": {func(r *markRig) {
			r.delegation.IssuedAt, r.delegation.Expires = r.f.Clock.Now().Add(-2*time.Hour), r.f.Clock.Now().Add(-time.Hour)
		}, "delegation: expired"},
		"a delegation that is a mark": {func(r *markRig) {
			r.delegated = false
			compact, err := federation.TrustMark{Issuer: r.owner.ID, Subject: r.issuer.ID, Type: backups}.Sign(r.owner.Keys.Federation, r.f.Clock.Now())
			if err != nil {
				r.f.T.Fatal(err)
			}
			r.mark.Delegation = compact
		}, "delegation: type"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newMarkRig(t)
			c.change(r)
			if _, err := r.verify(t); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestTrustMarksOfChain: a member's marks are judged by what its chain says of the anchor, and no more of them than may be.
func TestTrustMarksOfChain(t *testing.T) {
	f, hub, _, city, _ := region(t)
	f.Anchor.Say = func(c *federation.NodeConfiguration) {
		c.TrustMarkIssuers = map[string][]federation.EntityID{backups: {hub.ID}}
	}
	sign := func(issuer *fedtest.Node) federation.TrustMarkClaim {
		compact, err := federation.TrustMark{Issuer: issuer.ID, Subject: city.ID, Type: backups}.Sign(issuer.Keys.Federation, f.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return federation.TrustMarkClaim{Type: backups, Mark: compact}
	}
	claims := []federation.TrustMarkClaim{sign(hub), sign(city), {Type: backups, Mark: "a.b.c"}}
	city.Say = func(c *federation.NodeConfiguration) { c.TrustMarks = claims }
	chain, err := federation.VerifyTrustChain(city.Chain(), f.ChainOptions())
	if err != nil {
		t.Fatal(err)
	}
	issuerKeys := func(id federation.EntityID) (jose.KeySet, error) { return federation.JWKS(hub.Keys.Federation) }
	marks, refused := chain.VerifyTrustMarks(issuerKeys, f.Clock.Now())
	if len(marks) != 2 || marks[0].SelfDeclared || !marks[1].SelfDeclared || len(refused) != 1 {
		t.Errorf("%d marks hold, %v", len(marks), refused)
	}
	for range 40 {
		chain.Configuration.TrustMarks = append(chain.Configuration.TrustMarks, claims[0])
	}
	if marks, refused := chain.VerifyTrustMarks(issuerKeys, f.Clock.Now()); len(marks)+len(refused) != 33 {
		t.Errorf("%d marks and %d errors of 43 marks", len(marks), len(refused))
	}
}
