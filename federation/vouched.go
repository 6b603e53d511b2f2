package federation

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// Vouched are the federation keys of a member as its superior knows them where no record has them: those of a member of a
// class, which the superior's operator has compared, and those that a member has rotated to.
type Vouched struct {
	Entity EntityID `json:"entity"`
	// OrgID is the legal identity, and Admission the decision that admits it: that of the class, or of the member.
	OrgID     string      `json:"org_id"`
	Admission Hash        `json:"admission"`
	Keys      jose.KeySet `json:"jwks"`
}

// Follow takes up the keys that the member's entity configuration names now, and tells whether they are others than before.
// Of a member whose keys stand in records by their thumbprints, named, those count and no others. Of any other member the
// configuration must be signed by a key that is vouched for: it goes on from key to key.
func (v Vouched) Follow(configuration string, named []string, now time.Time) (next Vouched, changed bool, err error) {
	c, err := VerifyEntityConfiguration(configuration, now)
	if err != nil {
		return v, false, err
	}
	fault := func(format string, args ...any) (Vouched, bool, error) {
		return v, false, fmt.Errorf("entity configuration of %s: %s", c.Subject, fmt.Sprintf(format, args...))
	}
	if c.Subject != v.Entity {
		return fault("it is not that of %s", v.Entity)
	}
	keys := c.Keys.Keys()
	if len(named) > 0 {
		keys = slices.DeleteFunc(keys, func(k jose.PublicKey) bool { return !slices.Contains(named, k.ID()) })
		if !slices.Contains(named, c.KeyID) {
			return fault("it is signed by the key %s, which no record names", c.KeyID)
		}
	} else if _, ok := v.Keys.Key(c.KeyID); !ok {
		return fault("it is signed by the key %s, which is not vouched for", c.KeyID)
	}
	next = v
	if next.Keys, err = jose.NewKeySet(keys...); err != nil {
		return fault("%v", err)
	}
	return next, !slices.Equal(thumbprints(v.Keys), thumbprints(next.Keys)), nil
}

func thumbprints(s jose.KeySet) []string {
	var ids []string
	for _, k := range s.Keys() {
		ids = append(ids, k.ID())
	}
	slices.Sort(ids)
	return ids
}

// ToFollow are the members below a superior whose entity configurations tell it keys that no record has: those it vouches
// for, and those whose records name a key by its thumbprint alone. named are the thumbprints in records, for Follow.
func (r AdmittedBelow) ToFollow() []Followed {
	ledger, now := r.Ledger(), r.now()
	if ledger == nil {
		return nil
	}
	vouched := r.vouched()
	var list []Followed
	for _, m := range ledger.Members(now) {
		if m.Admission == nil || m.Admission.Nomination.Hub != r.Superior || m.Standing != InGood {
			continue
		}
		v, ok := vouched[m.Entity]
		if !ok {
			v = Vouched{Entity: m.Entity, OrgID: m.Admission.Nomination.OrgID, Admission: m.Admission.Hash}
		}
		delete(vouched, m.Entity)
		if known, _ := keysOf(m, v); len(known.Keys()) < len(m.Keys) {
			list = append(list, Followed{Vouched: v, Named: m.Keys})
		}
	}
	for _, v := range vouched {
		if m := ledger.Member(v.Entity, now); m.Standing == Stranger || m.Standing == InGood {
			list = append(list, Followed{Vouched: v, Named: m.Keys})
		}
	}
	slices.SortFunc(list, func(a, b Followed) int { return strings.Compare(string(a.Entity), string(b.Entity)) })
	return list
}

// Followed is a member whose entity configuration is asked for.
type Followed struct {
	Vouched
	Named []string
}

// FetchOwnWords gets what an entity says about itself from its well-known address, as it is: whoever asks verifies it by keys
// that it knows. It is for a superior's own background work.
func FetchOwnWords(ctx context.Context, client *http.Client, entity EntityID) (string, error) {
	body, err := fetchBounded(ctx, client, string(entity)+WellKnownPath, http.Header{"Accept": {StatementMediaType}}, StatementMediaType, jose.DefaultMaxSize)
	return strings.TrimSuffix(string(body), "\n"), err
}
