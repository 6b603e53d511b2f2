package cache

import (
	"context"
	"errors"
	"slices"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// Answer returns the answer to a query, from memory, from Redis, or made from the store's entries; see taxii.Answers.
func (s *Store) Answer(ctx context.Context, r taxii.AnswerRequest) (*taxii.Answer, error) {
	c := s.collection(r.Query.Collection)
	if v := s.fresh(c, c.writes.Load(), s.now()); v != nil {
		if a, _, _ := s.kept(c, v, r); a != nil {
			return a, nil
		}
	}
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.Timeout)
		defer cancel()
	}
	for range 3 {
		v, err := s.view(ctx, c)
		if err != nil {
			return nil, err
		}
		a, key, decision := s.kept(c, v, r)
		if a != nil {
			return a, nil
		}
		value, err := s.flights.do(ctx, flightKey{page: key, state: v.collection.State(), decision: decision}, func(ctx context.Context) (any, error) {
			return s.make(ctx, key, v, decision, r)
		})
		if err == nil {
			return value.(*taxii.Answer), nil
		}
		if !errors.Is(err, errOutrun) {
			return nil, err
		}
	}
	return s.bypass(ctx, r)
}

// kept returns the answer from memory, or nil, and then what the page would be found by.
func (s *Store) kept(c *collection, v *view, r taxii.AnswerRequest) (*taxii.Answer, pageKey, string) {
	if r.Query.After >= v.collection.Last {
		s.metrics.answered(fromPosition)
		return v.nothing, pageKey{}, ""
	}
	var memory [64]byte
	decision := v.decide(memory[:0], r.Query.Visible)
	key := pageKey{collection: c, class: c.class(decision), name: r.Name, after: r.Query.After, limit: r.Query.Limit,
		maxBytes: r.Query.MaxBytes, coding: r.Coding}
	if p, ok := s.pages.GetIfPresent(key); ok && len(p.decision) <= len(decision) && string(decision[:len(p.decision)]) == p.decision {
		s.metrics.answered(fromMemory)
		return p.answer, key, p.decision
	}
	return nil, key, string(decision)
}

// errOutrun: between the decision and the reading of the page the log got a marking set that was not decided about.
var errOutrun = errors.New("the log has marking sets that are newer than the decision")

// make finds a page in Redis or makes it, and keeps it.
func (s *Store) make(ctx context.Context, key pageKey, v *view, decision string, r taxii.AnswerRequest) (*taxii.Answer, error) {
	if s.redis != nil {
		if p := s.redis.page(ctx, key, v, decision); p != nil {
			s.put(key, p, v)
			s.metrics.answered(fromRedis)
			return p.answer, nil
		}
	}
	read, err := s.read(ctx, v, decision, r)
	if err != nil {
		return nil, err
	}
	answer, err := render(read, r)
	if err != nil {
		return nil, err
	}
	s.metrics.answered(fromStore)
	p := read.describe(v, r.Query.After, decision, answer)
	if p == nil {
		return answer, nil
	}
	s.put(key, p, v)
	if s.redis != nil && p.sealed && !p.restricted {
		s.redis.store(key, v.collection, p)
	}
	return answer, nil
}

// bypass answers as if there were no cache: the log gets new marking sets faster than they are decided about.
func (s *Store) bypass(ctx context.Context, r taxii.AnswerRequest) (*taxii.Answer, error) {
	got, err := s.Journal.Entries(ctx, r.Query)
	if err != nil {
		return nil, err
	}
	s.metrics.answered(fromStore)
	return render(reading{page: got.Within(maxBytes(r.Query))}, r)
}

// reading is a page as the store gave it.
type reading struct {
	page  taxii.Page
	shows taxii.DateAdded // the date of the entry that shows that there is more, 0 where it is not known or there is not
}

// read asks the store for the page and one entry more, which tells how far the answer depends on the log. The policy has
// been asked already; a set that it was not asked about is not served without.
func (s *Store) read(ctx context.Context, v *view, decision string, r taxii.AnswerRequest) (reading, error) {
	decided := make(map[decided]bool, len(v.sets))
	for i, m := range v.sets {
		decided[decidedOf(m.Set, m.Unknown)] = decision[i] == '1'
	}
	outrun := false
	q := r.Query
	if len(q.Values)+len(q.Conditions) == 0 { // where entries are looked through, one more may be far
		q.Limit++
	}
	q.Visible = func(m stix.MarkingSet, unknown bool) bool {
		visible, ok := decided[decidedOf(m, unknown)]
		outrun = outrun || !ok
		return visible
	}
	got, err := s.Journal.Entries(ctx, q)
	if err != nil {
		return reading{}, err
	}
	if outrun {
		s.told(r.Query.Collection) // so that the state of the log is read anew
		return reading{}, errOutrun
	}
	read := reading{page: got}
	if len(got.Entries) > r.Query.Limit {
		read.page.Entries, read.page.More, read.page.Until = got.Entries[:r.Query.Limit], true, 0
		read.shows = got.Entries[r.Query.Limit].DateAdded
	}
	if whole := len(read.page.Entries); whole > 0 {
		read.page = read.page.Within(maxBytes(r.Query))
		if n := len(read.page.Entries); n < whole {
			read.shows = got.Entries[n].DateAdded
		}
	}
	read.page.Entries = slices.Clip(read.page.Entries)
	return read, nil
}

// decided names a marking set as the policy was asked about it.
type decided struct {
	set     string
	unknown bool
}

func decidedOf(m stix.MarkingSet, unknown bool) decided { return decided{m.Key(), unknown} }

func maxBytes(q taxii.Query) int64 {
	if q.MaxBytes > 0 {
		return q.MaxBytes
	}
	return 1 << 62
}

// render makes the answer. A page that ended before the end of the log is asked for longer than one that grows, so it is
// worth a smaller body.
func render(read reading, r taxii.AnswerRequest) (*taxii.Answer, error) {
	n := len(read.page.Entries)
	a := &taxii.Answer{Collection: read.page.Collection, Objects: n, More: read.page.More}
	if n == 0 {
		return a, nil
	}
	a.First, a.Last = read.page.Entries[0].DateAdded, read.page.Entries[n-1].DateAdded
	body, err := r.Render(read.page)
	if err != nil {
		return nil, err
	}
	a.Tag, a.Body = taxii.BodyTag(body), body
	if r.Coding != "" && len(body) >= taxii.CompressFrom {
		a.Body, err = compress(body, r.Coding, read.page.More)
		a.Coding = r.Coding
	}
	return a, err
}

// describe says what the answer depends on; nil if it can't be kept, because the log went on while it was made.
func (read reading) describe(v *view, after taxii.DateAdded, decision string, answer *taxii.Answer) *page {
	got, seen := read.page.Collection, v.collection
	if got.Epoch != seen.Epoch || got.Revision != seen.Revision {
		return nil
	}
	p := &page{answer: answer, after: after, until: got.Last, sealed: read.page.More, decision: decision, revision: got.Revision}
	if read.shows != 0 {
		p.until = read.shows
	}
	// Entries later than the state may be of sets that the decision has no place for.
	if got.Last != seen.Last && (!p.sealed || p.until > seen.Last) {
		return nil
	}
	p.restricted = slices.ContainsFunc(read.page.Entries, func(e taxii.Entry) bool {
		return e.Level == stix.TLPUnmarked || e.Level > stix.TLPAmber
	})
	return p
}
