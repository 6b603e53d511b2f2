package cache

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// twoNodes are two processes on one database and one Redis.
func twoNodes(t *testing.T, a, b *Redis) (*node, *node, taxii.Collection) {
	t.Helper()
	open := sqliteDatabase(t)
	first, second := open(t, store.Options{}), open(t, store.Options{})
	t.Cleanup(func() {
		if err := errors.Join(first.Close(), second.Close()); err != nil {
			t.Error(err)
		}
	})
	return newNode(t, first, a), newNode(t, second, b), newCollection(t, first)
}

// valuesOf are the values that Redis has of a collection.
func valuesOf(t *testing.T, r *Redis, c taxii.Collection) map[string]string {
	t.Helper()
	client := r.client()
	defer client.Close()
	values := make(map[string]string)
	for _, key := range keysOf(t.Context(), client) {
		if strings.Contains(key, c.ID) {
			values[key] = client.Get(t.Context(), key).Val()
		}
	}
	return values
}

// TestShared holds that a sealed page which one process made is found by another, that one whose part of the log changed
// is not, and that what does not go into Redis is not there.
func TestShared(t *testing.T) {
	r := redisServer(t)
	a, b, c := twoNodes(t, r, r)
	for i := range 10 {
		add(t, a, c, indicator(i, 1, stix.TLPGreen))
	}
	q := taxii.Query{Collection: c.ID, Limit: 3, Bytes: true, Version: taxii.VersionMatch{Last: true}}
	a.walk(t, q)
	eventually(t, "three sealed pages are in Redis", func() bool { return len(valuesOf(t, r, c)) == 3 })
	if diff := cmp.Diff([]string{fromRedis, fromRedis, fromRedis, fromStore}, b.walk(t, q)); diff != "" {
		t.Errorf("the other process's pages (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{fromMemory, fromMemory, fromMemory, fromMemory}, b.walk(t, q)); diff != "" {
		t.Errorf("again (-want +got):\n%s", diff)
	}
	add(t, b, c, indicator(4, 2, stix.TLPGreen))
	eventually(t, "the pages that changed are gone from Redis", func() bool {
		_, err := a.Collection(t.Context(), c.ID) // reads what happened, and evicts
		a.clock.advance(maxAge)
		return err == nil && len(valuesOf(t, r, c)) == 2
	})
}

// TestRestricted holds that a page goes into Redis only if everything on it is at most TLP:AMBER and understood.
func TestRestricted(t *testing.T) {
	r := redisServer(t)
	n, c := cached(t, r)
	other, err := n.store.AddCollection(t.Context(), store.NewCollection{Title: "Strict", DefaultTLP: stix.TLPAmberStrict})
	if err != nil {
		t.Fatal(err)
	}
	levels := []stix.TLP{stix.TLPUnmarked, stix.TLPClear, stix.TLPGreen, stix.TLPAmber, stix.TLPAmberStrict, stix.TLPRed}
	for i, level := range levels {
		add(t, n, c, indicator(i, 1, level))
		add(t, n, other, indicator(i, 1, level))
	}
	for _, where := range []taxii.Collection{c, other} {
		add(t, n, where, indicator(99, 1, stix.TLPGreen)) // so that every page before it is sealed
		q := taxii.Query{Collection: where.ID, Limit: 1, Bytes: true}
		n.walk(t, q)
		q.Bytes = false // as manifests are asked for: what is restricted there is that there is something
		n.walk(t, q)
	}
	// An unmarked object is handled as the collection says.
	want := map[string]int{c.ID: 2 * 4, other.ID: 2 * 3}
	eventually(t, "what may is in Redis", func() bool {
		return len(valuesOf(t, r, c)) >= want[c.ID] && len(valuesOf(t, r, other)) >= want[other.ID]
	})
	eventually(t, "nothing waits", func() bool { return len(n.redis.jobs) == 0 })
	for _, where := range []taxii.Collection{c, other} {
		values := valuesOf(t, r, where)
		if len(values) != want[where.ID] {
			t.Errorf("Redis has %d pages of %s, want %d", len(values), where.Title, want[where.ID])
		}
		for i, level := range levels {
			strict := level > stix.TLPAmber || level == stix.TLPUnmarked && where.ID == other.ID
			for key, value := range values {
				p, err := decodePage(value, key, where, "")
				if err != nil {
					t.Fatal(err)
				}
				body, err := plain(p.answer)
				if err != nil {
					t.Fatal(err)
				}
				if strict && bytes.Contains(body, []byte(objectID(i))) {
					t.Errorf("%s: an object of level %v is in Redis", where.Title, level)
				}
			}
		}
	}
}

// TestMessages holds that another process's write is seen by its message, without the half second.
func TestMessages(t *testing.T) {
	r := redisServer(t)
	a, b, c := twoNodes(t, r, r)
	stopped := time.Now()
	for _, n := range []*node{a, b} {
		n.now = func() time.Time { return stopped } // no state of a log ever gets old
	}
	q := taxii.Query{Collection: c.ID, Limit: 10, Bytes: true}
	for i := range 3 {
		b.walkLength(t, q)
		eventually(t, "the message came", func() bool {
			add(t, a, c, indicator(i, 1+int(time.Since(stopped).Milliseconds()%3000), stix.TLPGreen)) // while nobody listens yet
			return b.walkLength(t, q) == i+1
		})
	}
}

// aclCommands are the commands that docs/cache.md lets the node's ACL user run.
var aclCommands = []string{"+getrange", "+set", "+unlink", "+publish", "+subscribe", "+ping", "+hello", "+client", "+select"}

// What a user needs besides on the servers of a Cluster, and what one needs on a Sentinel.
var (
	clusterCommands  = []string{"+cluster"}
	sentinelCommands = []string{"+sentinel", "+subscribe", "+ping", "+hello", "+client"}
)

// TestACLUser holds that an ACL user with the commands, keys and channel of docs/cache.md is enough.
func TestACLUser(t *testing.T) {
	r := redisServer(t)
	admin := r.client()
	defer admin.Close()
	user := *r
	user.Username, user.Password = "skjold_test_"+rand.Text()[:8], "an ACL user's"
	rules := []any{"acl", "setuser", user.Username, "on", ">" + user.Password, "~" + prefix + "*", "&" + prefix + "*"}
	for _, c := range aclCommands {
		rules = append(rules, c)
	}
	if err := admin.Do(t.Context(), rules...).Err(); err != nil {
		t.Fatal(err)
	}
	defer admin.Do(context.WithoutCancel(t.Context()), "acl", "deluser", user.Username)
	a, b, c := twoNodes(t, &user, &user)
	for i := range 5 {
		add(t, a, c, indicator(i, 1, stix.TLPGreen))
	}
	q := taxii.Query{Collection: c.ID, Limit: 2, Bytes: true}
	a.walk(t, q)
	eventually(t, "two sealed pages are in Redis", func() bool { return len(valuesOf(t, r, c)) == 2 })
	if diff := cmp.Diff([]string{fromRedis, fromRedis, fromStore}, b.walk(t, q)); diff != "" {
		t.Errorf("the other process's pages (-want +got):\n%s", diff)
	}
	eventually(t, "a message came", func() bool {
		a.wrote(c.ID)
		return b.metric(t, "skjold_cache_redis_values_total", "message") > 0
	})
	if _, err := a.Delete(t.Context(), taxii.Deletion{Collection: c.ID, ID: indicator(0, 1, stix.TLPGreen).ID}); err != nil {
		t.Fatal(err)
	}
	a.walk(t, q)
	eventually(t, "what was deleted is gone from Redis", func() bool {
		for key, value := range valuesOf(t, r, c) {
			p, err := decodePage(value, key, c, "")
			if err != nil {
				t.Fatal(err)
			}
			if body, err := plain(p.answer); err != nil || bytes.Contains(body, []byte(objectID(0))) {
				return false
			}
		}
		return true
	})
	eventually(t, "a name is noted", func() bool {
		_, known := a.Once(t.Context(), user.Username, time.Minute)
		return known
	})
	denied, err := admin.Do(t.Context(), "acl", "log").Slice()
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range denied { // of all users of the server
		if text := fmt.Sprint(entry); strings.Contains(text, user.Username) {
			t.Errorf("the user may not do what the node does: %s", text)
		}
	}
}

// walkLength is the number of objects that a process gives of a collection.
func (n *node) walkLength(t *testing.T, q taxii.Query) int {
	t.Helper()
	a, err := n.Answer(t.Context(), requestOf(q))
	if err != nil {
		t.Fatal(err)
	}
	return a.Objects
}

// TestDeadRedis holds that a Redis that is not there costs some calls, and from then on one now and then.
func TestDeadRedis(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil { // nobody listens there from now on
		t.Fatal(err)
	}
	var log bytes.Buffer
	n, c := cached(t, nil)
	var second int64
	at := time.Now()
	m, err := newMetrics(nil, func() uint64 { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	s := newShared(&Redis{Addresses: []string{address}, Password: "hunter2"}, m, func() time.Time { return at.Add(time.Duration(second) * time.Second) },
		slog.New(slog.NewTextHandler(&log, nil)))
	defer s.close()
	add(t, n, c, indicator(1, 1, stix.TLPGreen))
	v, err := n.view(t.Context(), n.collection(c.ID))
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	for second = range 300 {
		before := s.breaker.failures
		for range 10 {
			if s.page(t.Context(), pageKey{collection: n.collection(c.ID)}, v, "1") != nil {
				t.Fatal("a page from nowhere")
			}
		}
		tries += s.breaker.failures - before
	}
	if tries < 10 || tries > 20 { // three, and after 1, 2, 4, 8, 16, 30, 30 … seconds one each
		t.Errorf("%d calls in 300 seconds of ten requests each", tries)
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || strings.Contains(text, "hunter2") {
		t.Errorf("the log:\n%s", text)
	}
}

func TestBreaker(t *testing.T) {
	at := time.Now()
	b := breaker{now: func() time.Time { return at }, log: slog.New(slog.DiscardHandler)}
	failed := errors.New("gone")
	for i := range failuresToOpen {
		if !b.allow() {
			t.Fatalf("closed after %d failures", i)
		}
		b.done(failed, 0)
	}
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		if b.allow() {
			t.Fatal("a call is allowed while the breaker is open")
		}
		b.done(failed, 0) // of a call that began before
		at = at.Add(wait*time.Second - 1)
		if b.allow() {
			t.Fatalf("a call is allowed before %d s", wait)
		}
		at = at.Add(1)
		if !b.allow() || b.allow() {
			t.Fatalf("not one call is allowed after %d s", wait)
		}
		b.done(failed, 0)
	}
	at = at.Add(maxWait)
	if !b.allow() {
		t.Fatal("no call is allowed")
	}
	b.done(nil, callBudget) // it came, but late
	if b.allow() {
		t.Fatal("a slow call closed the breaker")
	}
	at = at.Add(maxWait)
	if !b.allow() {
		t.Fatal("no call is allowed")
	}
	b.done(nil, 0)
	for range 2 { // an open breaker would allow one call to try
		if !b.allow() {
			t.Error("the breaker did not close")
		}
	}
}

// somePage is a sealed page for encoding.
func somePage() *page {
	return &page{sealed: true, after: 5, until: 90, revision: 3, decision: "10", answer: &taxii.Answer{
		Body: []byte("a body"), Coding: "gzip", Tag: "0123456789abcdef", Objects: 2, First: 6, Last: 80, More: true}}
}

func TestValue(t *testing.T) {
	p := somePage()
	value := encodePage(p, "key")
	got, err := decodePage(value, "key", taxii.Collection{}, "10")
	if diff := cmp.Diff(p, got, cmp.AllowUnexported(page{}), cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(taxii.Answer{})); err != nil || diff != "" {
		t.Errorf("decoded: %v (-want +got):\n%s", err, diff)
	}
	if len(value) > maxHead+len(p.answer.Body) {
		t.Errorf("a value has %d octets beside its body", len(value)-len(p.answer.Body))
	}
	garbage := []string{"", "garbage", value + "x", value[1:], strings.Replace(value, "page 1", "page 2", 1)}
	for i := range len(value) {
		b := []byte(value)
		b[i] ^= 1
		garbage = append(garbage, string(b), value[:i])
	}
	for _, text := range garbage {
		if _, err := decodePage(text, "key", taxii.Collection{}, "10"); err == nil {
			t.Errorf("%q is taken for a page", text)
		}
	}
	if _, err := decodePage(value, "another key", taxii.Collection{}, "10"); err == nil {
		t.Error("the page of another key is taken")
	}
}

// FuzzValue decodes noise, and noise with a sound checksum, which a process of another make might write.
func FuzzValue(f *testing.F) {
	f.Add([]byte(encodePage(somePage(), "key")))
	f.Add([]byte(valueVersion))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, value := range []string{string(b), sealed(b)} {
			p, err := decodePage(value, "key", taxii.Collection{}, "")
			if err != nil {
				continue
			}
			again, err := decodePage(encodePage(p, "key"), "key", taxii.Collection{}, "")
			if diff := cmp.Diff(p, again, cmp.AllowUnexported(page{}), cmpopts.IgnoreUnexported(taxii.Answer{})); err != nil || diff != "" {
				t.Errorf("decoded again: %v\n%s", err, diff)
			}
		}
	})
}

// sealed puts noise into the frame of a value.
func sealed(noise []byte) string {
	echo := sha256.Sum256([]byte("key"))
	content := valueVersion + string(echo[:]) + string(noise)
	sum := sha256.Sum256([]byte(content))
	return content + string(sum[:])
}

// TestCompress holds that every coding gives back the body, whatever the effort.
func TestCompress(t *testing.T) {
	body := bytes.Repeat([]byte(`{"type":"indicator"},`), 5000)
	for e := range compressors {
		packed, err := compress(body, e.coding, e.sealed)
		if err != nil || len(packed) > len(body)/10 {
			t.Errorf("%+v: %d octets of %d, %v", e, len(packed), len(body), err)
			continue
		}
		if got, err := plain(&taxii.Answer{Body: packed, Coding: e.coding}); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%+v: the body is not the same, %v", e, err)
		}
	}
	if _, err := compress(body, "br", true); err == nil {
		t.Error("a coding that there is not was made")
	}
}
