package taxii

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/stix"
)

// memStore is the contract of Store in its plainest form: every query looks at every entry.
type memStore struct {
	now func() time.Time

	mu          sync.Mutex
	collections []*memCollection
	statuses    map[string]memStatus
	keys        map[string]memKey // by account, collection and name
	pending     []memPending
	observed    []Served
	fail        error // every method that returns an error returns this one
	addFails    error // Add returns this one
	inVain      int   // how often a collection was looked for that there is not
}

type memCollection struct {
	Collection
	entries []memEntry
}

type memEntry struct {
	Entry
	markings stix.MarkingSet
	unknown  bool
}

type memStatus struct {
	account string
	status  Status
}

type memKey struct {
	body   [32]byte
	status string
}

// memPending is the item of a deferred submission that advance decides; what it is of is the status.
type memPending struct {
	status string
	sub    Submission
	item   Item
}

func newMemStore() *memStore {
	return &memStore{now: time.Now, statuses: map[string]memStatus{}, keys: map[string]memKey{}}
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// addCollection creates a collection that was made a second before the store's now.
func (s *memStore) addCollection(title, alias string) Collection {
	s.mu.Lock()
	defer s.mu.Unlock()
	created := DateAdded(s.now().Add(-time.Second).UnixMicro())
	c := &memCollection{Collection: Collection{
		ID: newUUID(), Title: title, Alias: alias, DefaultTLP: stix.TLPAmberStrict, Created: created, Last: created, Epoch: newUUID(),
	}}
	s.collections = append(s.collections, c)
	return c.Collection
}

// change alters what is held of a collection, as an operator would.
func (s *memStore) change(id string, f func(c *memCollection)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.find(id))
}

func (s *memStore) find(idOrAlias string) *memCollection {
	for _, c := range s.collections {
		if c.ID == idOrAlias || c.Alias != "" && c.Alias == idOrAlias {
			return c
		}
	}
	return nil
}

func (s *memStore) Collections(context.Context) ([]Collection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Collection
	for _, c := range s.collections {
		list = append(list, c.Collection)
	}
	return list, s.fail
}

func (s *memStore) Collection(_ context.Context, idOrAlias string) (Collection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return Collection{}, s.fail
	}
	c := s.find(idOrAlias)
	if c == nil {
		s.inVain++
		return Collection{}, ErrNotFound
	}
	return c.Collection, nil
}

func (s *memStore) Entries(_ context.Context, q Query) (Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return Page{}, s.fail
	}
	c := s.find(q.Collection)
	if c == nil {
		return Page{}, ErrNotFound
	}
	page := Page{Collection: c.Collection}
	for i, e := range c.entries {
		if e.DateAdded <= q.After || !c.matches(i, q) {
			continue
		}
		if len(page.Entries) == q.Limit {
			page.More = true
			break
		}
		entry := e.Entry
		if !q.Bytes {
			entry.Raw = nil
		}
		page.Entries = append(page.Entries, entry)
	}
	return page, nil
}

func (c *memCollection) matches(i int, q Query) bool {
	e := c.entries[i]
	return (q.Visible == nil || q.Visible(e.markings, e.unknown)) &&
		(len(q.IDs) == 0 || slices.Contains(q.IDs, e.ID)) &&
		(len(q.Types) == 0 || slices.Contains(q.Types, e.ID.Type())) &&
		c.matchesSpec(e, q.SpecVersions) && c.matchesVersion(i, q.Version)
}

func (c *memCollection) matchesSpec(e memEntry, versions []string) bool {
	if len(versions) > 0 {
		return slices.Contains(versions, e.SpecVersion)
	}
	for _, other := range c.entries {
		if other.ID == e.ID && other.SpecVersion > e.SpecVersion {
			return false
		}
	}
	return true
}

func (c *memCollection) matchesVersion(i int, m VersionMatch) bool {
	first, last := true, true
	e := c.entries[i]
	for _, other := range c.entries {
		if other.ID == e.ID {
			switch order := versionOf(other).Compare(versionOf(e)); {
			case order < 0:
				first = false
			case order > 0:
				last = false
			}
		}
	}
	return m.All || m.First && first || m.Last && last ||
		slices.ContainsFunc(m.Exact, func(t stix.Timestamp) bool { return t.Equal(versionOf(e)) })
}

func versionOf(e memEntry) stix.Timestamp {
	t, _ := stix.ParseTimestamp(e.Version)
	return t
}

func (s *memStore) Add(_ context.Context, sub Submission) (st Status, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := cmp.Or(s.fail, s.addFails); err != nil {
		return Status{}, err
	}
	c := s.find(sub.Collection)
	if c == nil {
		return Status{}, ErrNotFound
	}
	if sub.Key != nil {
		name := strings.Join([]string{sub.Account, sub.Collection, sub.Key.Name}, " ")
		if k, ok := s.keys[name]; ok && k.body != sub.Key.Body {
			return Status{}, ErrKeyReused
		} else if ok {
			return s.statuses[k.status].status, nil
		}
		defer func() { s.keys[name] = memKey{sub.Key.Body, st.ID} }()
	}
	st = Status{ID: newUUID(), Status: StatusComplete, RequestTimestamp: stix.TimestampOf(sub.Received).String(), TotalCount: len(sub.Items)}
	for _, item := range sub.Items {
		if sub.Deferred && item.Refused == "" {
			st.Pendings = append(st.Pendings, StatusDetail{ID: string(item.Object.ID), Version: item.Object.Version().String()})
			s.pending = append(s.pending, memPending{st.ID, sub, item})
			continue
		}
		c.decide(sub, item, &st, s.now())
	}
	st.count()
	s.statuses[st.ID] = memStatus{sub.Account, st}
	return st, nil
}

// advance decides the oldest n pending items.
func (s *memStore) advance(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pending[:n] {
		held := s.statuses[p.status]
		held.status.Pendings = held.status.Pendings[1:]
		s.find(p.sub.Collection).decide(p.sub, p.item, &held.status, s.now())
		held.status.count()
		s.statuses[p.status] = held
	}
	s.pending = s.pending[n:]
}

func (st *Status) count() {
	st.SuccessCount, st.FailureCount, st.PendingCount = len(st.Successes), len(st.Failures), len(st.Pendings)
	st.Status = StatusComplete
	if st.PendingCount > 0 {
		st.Status = StatusPending
	}
}

// decide stores one item, or not, and tells it to the status.
func (c *memCollection) decide(sub Submission, item Item, st *Status, now time.Time) {
	detail := StatusDetail{ID: item.ID, Version: item.Version}
	if item.Object != nil {
		detail = StatusDetail{ID: string(item.Object.ID), Version: item.Object.Version().String()}
	}
	message, ok := item.Refused, item.Refused == ""
	if ok {
		message, ok = c.add(item.Object, now)
		if message == AlreadyHeld && sub.Visible != nil && !sub.Visible(item.Object.Markings(), false) {
			message = ""
		}
		message = cmp.Or(message, StoredMessage(item.Violations))
		detail.Version = cmp.Or(detail.Version, c.entries[max(0, len(c.entries)-1)].Version)
	}
	detail.Message = message
	if ok {
		st.Successes = append(st.Successes, detail)
	} else {
		st.Failures = append(st.Failures, detail)
	}
}

func (c *memCollection) add(o *stix.Object, now time.Time) (message string, ok bool) {
	at := max(DateAdded(now.UnixMicro()), c.Last+1)
	version := cmp.Or(o.Version().String(), at.String())
	for _, e := range c.entries {
		if e.ID == o.ID && (o.Version().IsZero() || e.Version == version) {
			if bytes.Equal(e.Raw, o.Raw) {
				return AlreadyHeld, true
			}
			return "another content is held under this id and version", false
		}
	}
	c.Last = at
	c.entries = append(c.entries, memEntry{
		Entry:    Entry{DateAdded: at, ID: o.ID, Version: version, SpecVersion: cmp.Or(o.SpecVersion, "2.1"), Raw: o.Raw},
		markings: o.Markings(),
	})
	c.Objects = int64(len(c.entries))
	return "", true
}

func (s *memStore) Delete(_ context.Context, d Deletion) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(d.Collection)
	if c == nil {
		return 0, ErrNotFound
	}
	all := Query{IDs: []stix.Identifier{d.ID}, Version: VersionMatch{All: true}, Visible: d.Visible, SpecVersions: []string{"2.0", "2.1"}}
	named := all
	named.Version = d.Version
	if len(d.SpecVersions) > 0 {
		named.SpecVersions = d.SpecVersions
	}
	var kept []memEntry
	seen := false
	for i, e := range c.entries {
		seen = seen || c.matches(i, all)
		if !c.matches(i, named) {
			kept = append(kept, e)
		}
	}
	if !seen {
		return 0, ErrNotFound
	}
	n := len(c.entries) - len(kept)
	c.entries = kept
	return n, nil
}

func (s *memStore) Status(_ context.Context, id, account string) (Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.statuses[id]
	if !ok || st.account != account {
		return Status{}, ErrNotFound
	}
	return st.status, nil
}

func (s *memStore) Observe(o Served) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observed = append(s.observed, o)
}

func (s *memStore) lastObserved(t *testing.T) Served {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.observed) == 0 {
		t.Fatal("nothing was observed")
	}
	return s.observed[len(s.observed)-1]
}

// indicator is a valid indicator with number n in its id and, if set, a marking.
func indicator(n int, modified string, marking stix.Identifier) string {
	refs := ""
	if marking != "" {
		refs = fmt.Sprintf(`,"object_marking_refs":[%q]`, marking)
	}
	return fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":%q%s,`+
		`"name":"numbered %d","indicator_types":["malicious-activity"],"pattern":"[ipv4-addr:value = '198.51.100.%d']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"}`,
		indicatorID(n), modified, refs, n, n%256)
}

func indicatorID(n int) string {
	return fmt.Sprintf("indicator--%08d-0000-4000-8000-000000000000", n)
}

const v1, v2, v3 = "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z", "2026-01-04T00:00:00.000Z"

func envelopeOf(objects ...string) string { return `{"objects":[` + strings.Join(objects, ",") + `]}` }
