package taxii

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answering is a store that makes an answer of every query once.
type answering struct {
	*memStore
	mu   sync.Mutex
	kept map[string]*Answer
	made int
}

func (a *answering) Answer(ctx context.Context, r AnswerRequest) (*Answer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := fmt.Sprint(r.Name, r.Coding, r.Query.After, r.Query.Limit)
	if kept := a.kept[key]; kept != nil {
		return kept, nil
	}
	got, err := a.Entries(ctx, r.Query)
	if err != nil {
		return nil, err
	}
	got = got.Within(r.Query.MaxBytes)
	answer := &Answer{Collection: got.Collection, Objects: len(got.Entries), More: got.More}
	if n := len(got.Entries); n > 0 {
		if answer.Body, err = r.Render(got); err != nil {
			return nil, err
		}
		answer.Tag, answer.First, answer.Last = BodyTag(answer.Body), got.Entries[0].DateAdded, got.Entries[n-1].DateAdded
		if r.Coding != identity && len(answer.Body) >= CompressFrom {
			answer.Coding = r.Coding
			answer.Body, err = compress(&body{head: answer.Body}, r.Coding)
		}
	}
	a.kept[key] = answer
	a.made++
	return answer, err
}

// TestAnswers asks a server with ready answers and one without for the same, twice, and holds that nothing differs.
func TestAnswers(t *testing.T) {
	plain := newRig(t)
	ready := newRig(t, func(o *Options) { o.Store = &answering{memStore: plain.store, kept: make(map[string]*Answer)} })
	ready.open, ready.users = plain.open, plain.users
	if ready.server.answers == nil || plain.server.answers != nil {
		t.Fatal("the servers do not differ")
	}
	var objects []string
	for i := range 40 {
		objects = append(objects, large(i, 3000))
	}
	plain.add(objects...)
	for _, endpoint := range []string{"objects/", "manifest/"} {
		for _, query := range []string{"", "?limit=7", "?limit=1&match[version]=all", "?match[type]=malware", "?added_after=2099-01-01T00:00:00Z"} {
			for _, user := range []string{"admin", "elastic"} {
				for _, coding := range []string{"identity", "gzip", "zstd"} {
					path := root + "collections/open/" + endpoint + query
					var tag string
					for _, method := range []string{"GET", "GET", "HEAD", "GET"} {
						edits := []edit{as(user), header("Accept-Encoding", coding)}
						if tag != "" && method == "GET" {
							edits = append(edits, header("If-None-Match", tag))
						}
						want, got := plain.do(method, path, "", edits...), ready.do(method, path, "", edits...)
						for _, r := range []reply{want, got} {
							r.Header.Del("X-Request-Id")
							r.Header.Del("Date")
						}
						if want.StatusCode != got.StatusCode || want.body != got.body {
							t.Fatalf("%s %s %s: %d with %d octets, want %d with %d", method, path, coding, got.StatusCode, len(got.body), want.StatusCode, len(want.body))
						}
						if diff := cmp.Diff(want.Header, got.Header); diff != "" {
							t.Errorf("%s %s %s: headers (-want +got):\n%s", method, path, coding, diff)
						}
						tag = want.Header.Get("ETag")
					}
				}
			}
		}
	}
	// Both noted the same of the clients: what was served and how far.
	plain.store.mu.Lock()
	defer plain.store.mu.Unlock()
	for pair := range slices.Chunk(plain.store.observed[1:], 2) { // the first is of the submission
		a, b := pair[0], pair[1]
		a.At = b.At
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatalf("observed (-plain +ready):\n%s", diff)
		}
	}
}

// TestSharedMemory holds that an answer counts once however many requests send it, until the last has.
func TestSharedMemory(t *testing.T) {
	p := &pool{holds: "answers", most: 250}
	a, b := &Answer{Body: make([]byte, 200)}, &Answer{Body: make([]byte, 100)}
	var readers []*share
	for range 5 {
		s := &share{pool: p}
		if err := s.takeShared(a); err != nil || p.used.Load() != 200 {
			t.Fatalf("takeShared: %v, %d octets", err, p.used.Load())
		}
		readers = append(readers, s)
	}
	late := &share{pool: p}
	if err := late.takeShared(b); !errors.Is(err, ErrUnavailable) {
		t.Errorf("takeShared of more than there is: %v", err)
	}
	late.release()
	for i, s := range readers {
		if p.used.Load() != 200 {
			t.Errorf("%d octets while %d requests send them", p.used.Load(), len(readers)-i)
		}
		s.release()
		s.release() // does nothing
	}
	if p.used.Load() != 0 || len(p.readers) != 0 {
		t.Errorf("%d octets and %d answers are left", p.used.Load(), len(p.readers))
	}
}
