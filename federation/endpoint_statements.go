package federation

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// fetch answers with the statement about one subordinate (OpenID Federation 1.0 §8.1).
func (e *Endpoints) fetch(w http.ResponseWriter, r *http.Request) error {
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	id, err := entityParameter(query, "sub")
	if err != nil {
		return err
	}
	if id == e.options.Entity {
		return invalidRequest("sub is this entity itself; its configuration is at %s", WellKnownPath)
	}
	s, err := e.options.Registry.Subordinate(r.Context(), id)
	if errors.Is(err, ErrUnknownSubordinate) {
		return notFound("this entity issues no statement about %s", id)
	}
	if err != nil {
		return err
	}
	compact, err := e.statement(s)
	if err != nil {
		return err
	}
	writeBody(w, http.StatusOK, StatementMediaType, "public, max-age=300", []byte(compact))
	return nil
}

// statement signs the statement about a subordinate, or returns the one of this half of its life that says the same.
func (e *Endpoints) statement(s Subordinate) (string, error) {
	now := e.options.Now()
	said := s.statement(e.options.Entity, e.options.BaseURL+FetchPath)
	claims, err := json.Marshal(said.claims(time.Time{}))
	if err != nil {
		return "", err
	}
	key := e.options.FederationKey()
	said.Expires = now.Add(e.options.StatementLife)
	return e.statements.get(string(s.Entity), key.ID()+string(claims), now, e.options.StatementLife/2, func() (string, error) { return said.Sign(key, now) })
}

// signedTexts remembers what was signed, so that a stranger's request costs no signature. There are as many as there are
// subordinates.
type signedTexts struct {
	mu    sync.Mutex
	texts map[string]signedText
}

type signedText struct {
	content, compact string
	at               time.Time
}

// get returns the text of a name if it says the same and was signed less than maxAge ago, half its life; else it signs.
func (s *signedTexts) get(name, content string, now time.Time, maxAge time.Duration, sign func() (string, error)) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.texts[name]; ok && known.content == content {
		if age := now.Sub(known.at); age >= 0 && age < maxAge {
			return known.compact, nil
		}
	}
	compact, err := sign()
	if err != nil {
		return "", err
	}
	if s.texts == nil {
		s.texts = make(map[string]signedText)
	}
	s.texts[name] = signedText{content: content, compact: compact, at: now}
	return compact, nil
}

// listFilter is what the query of a listing asks for (OpenID Federation 1.0 §8.2.1).
type listFilter struct {
	entityTypes  []string // all of them
	trustMarked  bool
	markType     string
	intermediate bool
	now          time.Time
}

// list answers with the ids of the subordinates (OpenID Federation 1.0 §8.2).
func (e *Endpoints) list(w http.ResponseWriter, r *http.Request) error {
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	f := listFilter{entityTypes: query["entity_type"], now: e.options.Now()}
	if f.trustMarked, err = boolean(query, "trust_marked"); err != nil {
		return err
	}
	if query.Has("trust_mark_type") {
		if f.markType, err = single(query, "trust_mark_type"); err != nil {
			return err
		}
	}
	if f.intermediate, err = boolean(query, "intermediate"); err != nil {
		return err
	}
	all, err := e.options.Registry.Subordinates(r.Context())
	if err != nil {
		return err
	}
	ids := make([]EntityID, 0, len(all))
	for _, s := range all {
		if f.accepts(s) {
			ids = append(ids, s.Entity)
		}
	}
	body, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	writeBody(w, http.StatusOK, "application/json", "no-store", body)
	return nil
}

func (f listFilter) accepts(s Subordinate) bool {
	for _, t := range f.entityTypes {
		if !slices.Contains(s.EntityTypes, t) {
			return false
		}
	}
	if f.intermediate && !s.Intermediate { // false is no filter
		return false
	}
	if f.markType != "" && !f.now.Before(s.TrustMarks[f.markType]) {
		return false
	}
	if f.trustMarked {
		for _, expires := range s.TrustMarks {
			if f.now.Before(expires) {
				return true
			}
		}
		return false
	}
	return true
}

// historicalKeys answers with the node's former federation keys (OpenID Federation 1.0 §8.7).
func (e *Endpoints) historicalKeys(w http.ResponseWriter, r *http.Request) error {
	keys, err := e.options.HistoricalKeys(r.Context())
	if err != nil {
		return err
	}
	now := e.options.Now()
	content, err := historicalClaims(e.options.Entity, keys, time.Unix(0, 0))
	if err != nil {
		return err
	}
	key := e.options.FederationKey()
	compact, err := e.former.get("", key.ID()+string(content), now, statementLife/2, func() (string, error) {
		return SignHistoricalKeys(e.options.Entity, keys, key, now)
	})
	if err != nil {
		return err
	}
	writeBody(w, http.StatusOK, HistoricalKeysMediaType, "public, max-age=300", []byte(compact))
	return nil
}
