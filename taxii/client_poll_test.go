package taxii

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
)

// pollAll polls to the end and returns the objects, with the positions that were to be stored on the way.
func pollAll(t *testing.T, p *Poller) (objects []string, positions []Position) {
	t.Helper()
	positions = append(positions, p.Position())
	objects = readAll(t, func() ([]byte, error) {
		raw, err := p.Next(t.Context())
		if at := p.Position(); at != positions[len(positions)-1] {
			positions = append(positions, at)
		}
		return raw, err
	})
	return objects, positions
}

func TestPoll(t *testing.T) {
	g, server := serveRig(t)
	c, _ := clientOf(t, server.URL)
	want := ids(g, g.get(g.objects("?match[version]=all")))
	for limit := 0; limit < 12; limit++ {
		q := PageRequest{Limit: limit, Versions: []string{"all"}}
		got, positions := pollAll(t, c.Poll("open", Position{}, q))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("limit %d: %s", limit, d)
		}
		// From every position on the way, the rest comes: nothing twice, nothing missing.
		for i, at := range positions {
			rest, _ := pollAll(t, c.Poll("open", at, q))
			n := len(want)
			if i < len(positions)-1 {
				n = i * limit
			}
			if !slices.Equal(want[n:], rest) {
				t.Errorf("limit %d, position %d %+v: %v", limit, i, at, rest)
			}
		}
		last := positions[len(positions)-1]
		if last.Next != "" || last.AddedAfter == "" {
			t.Errorf("limit %d: the last position is %+v", limit, last)
		}
	}
	_, positions := pollAll(t, c.Poll("open", Position{}, PageRequest{}))
	g.add(indicator(30, v1, ""))
	fresh, _ := pollAll(t, c.Poll("open", positions[len(positions)-1], PageRequest{}))
	if d := cmp.Diff([]string{entry(30, v1)}, fresh); d != "" {
		t.Error(d)
	}
}

func TestPollAfterARestore(t *testing.T) {
	g, server := serveRig(t)
	c, _ := clientOf(t, server.URL)
	_, positions := pollAll(t, c.Poll("open", Position{}, PageRequest{Limit: 3}))
	g.store.change(g.open.ID, func(c *memCollection) { c.Epoch = newUUID() })
	got, _ := pollAll(t, c.Poll("open", positions[1], PageRequest{Limit: 3}))
	if d := cmp.Diff(ids(g, g.get(g.objects(""))), got); d != "" {
		t.Errorf("a token that is no longer taken: %s", d)
	}
}

// otherServer answers pages in the ways of servers that have no next, by a function of the query.
func otherServer(t *testing.T, page func(q url.Values) (body string, headers []string)) *Client {
	s := newScript(t, func(w http.ResponseWriter, r *http.Request) {
		body, headers := page(r.URL.Query())
		answer(200, body, headers...)(w, r)
	})
	c, _ := clientOf(t, s.URL+"/api/")
	return c
}

func dated(last string) []string {
	return []string{"X-TAXII-Date-Added-First", last, "X-TAXII-Date-Added-Last", last}
}

func TestPollWithoutNext(t *testing.T) {
	c := otherServer(t, func(q url.Values) (string, []string) {
		if !slices.Equal(q["match[type]"], []string{"indicator"}) || q.Get("limit") != "1" {
			t.Errorf("the original query is gone: %v", q)
		}
		n := 1
		if after := q.Get("added_after"); after != "" {
			n = int(after[len("2026-01-0")]-'0') + 1
		}
		if n > 3 {
			return "{}", nil // and no headers
		}
		more := `"more":true,`
		if n == 3 {
			more = ""
		}
		return "{" + more + envelopeOf(indicator(n, v1, ""))[1:], dated(fmt.Sprintf("2026-01-0%dT00:00:00.000000Z", n))
	})
	got, positions := pollAll(t, c.Poll("c", Position{}, PageRequest{Limit: 1, Types: []string{"indicator"}}))
	if d := cmp.Diff([]string{entry(1, v1), entry(2, v1), entry(3, v1)}, got); d != "" {
		t.Error(d)
	}
	last := positions[len(positions)-1]
	if d := cmp.Diff(Position{AddedAfter: "2026-01-03T00:00:00.000000Z"}, last); d != "" {
		t.Error(d)
	}
	none, positions := pollAll(t, c.Poll("c", last, PageRequest{Limit: 1, Types: []string{"indicator"}}))
	if len(none) != 0 || positions[len(positions)-1] != last {
		t.Errorf("an empty page without headers: %v, position %v", none, positions)
	}
}

func TestPollKeepsItsPosition(t *testing.T) {
	at := Position{AddedAfter: "2026-01-03T00:00:00.000000Z"}
	for name, headers := range map[string][]string{
		"no header":      nil,
		"malformed":      dated("undefined"),
		"an earlier one": dated("1970-01-01T00:00:00.000000Z"),
		"the same":       dated("2026-01-03T00:00:00Z"),
	} {
		c := otherServer(t, func(url.Values) (string, []string) { return "{}", headers })
		if _, positions := pollAll(t, c.Poll("c", at, PageRequest{})); positions[len(positions)-1] != at {
			t.Errorf("%s: %v", name, positions)
		}
	}
}

func TestPollEndsAtEndlessServers(t *testing.T) {
	page := func(n int, next string) string {
		return `{"more":true,"next":"` + next + `",` + envelopeOf(indicator(n, v1, ""))[1:]
	}
	calls := 0
	for name, tt := range map[string]struct {
		page func(q url.Values) (string, []string)
		says string
	}{
		"the same page for ever": {func(q url.Values) (string, []string) {
			calls++
			return page(1, fmt.Sprint("n", calls)), nil
		}, "sent before"},
		"two pages in turn": {func(q url.Values) (string, []string) {
			calls++
			return page(calls%2, fmt.Sprint("n", calls)), nil
		}, "sent before"},
		"more without a way": {func(q url.Values) (string, []string) {
			return `{"more":true,` + envelopeOf(indicator(1, v1, ""))[1:], nil
		}, "gives no way"},
		"more without progress": {func(q url.Values) (string, []string) {
			calls++
			return `{"more":true,` + envelopeOf(indicator(calls, v1, ""))[1:], dated("2026-01-01T00:00:00.000000Z")
		}, "gives no way"},
		"empty pages for ever": {func(q url.Values) (string, []string) {
			calls++
			return fmt.Sprintf(`{"more":true,"next":"n%d"}`, calls), nil
		}, "empty pages in a row"},
	} {
		t.Run(name, func(t *testing.T) {
			p := otherServer(t, tt.page).Poll("c", Position{}, PageRequest{})
			var err error
			for range 1000 {
				if _, err = p.Next(t.Context()); err != nil {
					break
				}
			}
			if err == nil || err == io.EOF || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("ended with %v", err)
			}
			if _, err := p.Next(t.Context()); err != io.EOF {
				t.Errorf("after its end: %v", err)
			}
		})
	}
}

func TestPollGoesOnBehindABadObject(t *testing.T) {
	c := otherServer(t, func(url.Values) (string, []string) {
		return envelopeOf(indicator(1, v1, ""), `17`, indicator(2, v1, "")), nil
	})
	p := c.Poll("c", Position{}, PageRequest{})
	var outcome []string
	for {
		_, err := p.Next(t.Context())
		var element *stix.ElementError
		switch {
		case err == nil:
			outcome = append(outcome, "object")
		case errors.As(err, &element):
			outcome = append(outcome, fmt.Sprint("bad ", element.Index))
		default:
			outcome = append(outcome, err.Error())
		}
		if err == io.EOF {
			break
		}
	}
	if d := cmp.Diff([]string{"object", "bad 1", "object", "EOF"}, outcome); d != "" {
		t.Error(d)
	}
}

// TestPollFailsInTheMiddle holds that a page that breaks off does not move the position.
func TestPollFailsInTheMiddle(t *testing.T) {
	whole := `{"more":true,"next":"n1",` + envelopeOf(indicator(1, v1, ""))[1:]
	s := newScript(t, answer(200, whole), func(w http.ResponseWriter, r *http.Request) {
		answer(200, envelopeOf(indicator(2, v1, ""))[:300])(w, r)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	c, _ := clientOf(t, s.URL+"/api/")
	p := c.Poll("c", Position{}, PageRequest{})
	var err error
	for err == nil {
		_, err = p.Next(t.Context())
	}
	if err == io.EOF {
		t.Error("a page that broke off looks whole")
	}
	if d := cmp.Diff(Position{Next: "n1"}, p.Position()); d != "" {
		t.Error(d)
	}
}
