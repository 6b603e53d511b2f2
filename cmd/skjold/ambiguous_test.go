package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/taxii"
)

// TestAmbiguousCommit cuts a node off its PostgreSQL server at the moment of the commit: before the server has heard of it,
// and after, when only the answer is missing. The node cannot know which, says 503, and whoever publishes or deletes once
// more finds that everything was done once.
func TestAmbiguousCommit(t *testing.T) {
	t.Parallel()
	address := newSchema(t)
	dir := dataDir(filepath.Join(t.TempDir(), "node"))
	made := initialiseBy(t, dir, "SKJOLD_DATABASE_URL="+address)
	proxy := newCommitProxy(t, address)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &testNode{made: made, ln: ln}
	n.open(t, dir, func(c *config.Config) {
		c.Database.URL = config.SecretURL(proxy.url)
		c.Limits.RequestRate = 0
	})
	client := clientOf(t, "http://"+ln.Addr().String(), made)
	c := &crew{t: t, world: newWorld(11), collection: made.Collection, seed: 11, clients: []*taxii.Client{client}}
	rng := rand.New(rand.NewPCG(11, 0))

	refuses := func(err error) {
		t.Helper()
		var answer *taxii.ResponseError
		if !errors.As(err, &answer) || answer.Status != http.StatusServiceUnavailable || answer.Resource.Description == "" {
			t.Errorf("cut off in the middle of a commit, the node answers %v, want 503 with a description", err)
		}
	}
	for i := range 40 {
		proxy.cutNext(i%2 == 0)
		p := c.world.publication(4)
		status, err := client.Submit(t.Context(), made.Collection, p.objects, p.key)
		if err == nil { // it met another commit, of the node's background
			if err := c.world.told(p, status); err != nil {
				t.Error(err)
			}
			continue
		}
		refuses(err)
		if err := c.publish(t.Context(), p, rng); err != nil {
			t.Errorf("publishing again: %v", err)
		}
		id, modified, ok := c.world.deletion()
		if !ok {
			continue
		}
		proxy.cutNext(i%2 == 0)
		var versions []string
		if modified != "" {
			versions = []string{modified}
		}
		switch err := client.Delete(t.Context(), made.Collection, id, versions...); {
		case err == nil:
		case errors.Is(err, taxii.ErrNotFound) && c.world.byKind(id) == aRelationship: // it joins what is not served
		default:
			refuses(err)
			if err := client.Delete(t.Context(), made.Collection, id, versions...); err != nil && !errors.Is(err, taxii.ErrNotFound) {
				t.Errorf("deleting again: %v", err)
			}
		}
		proxy.armed.Store(cutNothing)
		c.world.gone(id, modified)
	}
	if before, after := proxy.cuts[false].Load(), proxy.cuts[true].Load(); before < 10 || after < 10 {
		t.Errorf("the connection was cut %d times before the commit reached the server and %d times after", before, after)
	}
	checkHeld(t, n.store, c)
}

// commitProxy stands between a node and its PostgreSQL server and cuts a connection when it is told to.
type commitProxy struct {
	url    string
	server string
	armed  atomic.Int32
	cuts   map[bool]*atomic.Int64 // by whether the server has got the commit
}

const (
	cutNothing int32 = iota
	cutBefore
	cutAfter
)

// commitMessage is pgx's message that commits (PostgreSQL's protocol, "Query").
var commitMessage = []byte("Q\x00\x00\x00\x0bcommit\x00")

func newCommitProxy(t *testing.T, address string) *commitProxy {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &commitProxy{server: u.Host, cuts: map[bool]*atomic.Int64{false: {}, true: {}}}
	u.Host = ln.Addr().String()
	p.url = u.String()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			from, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.relay(from) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		serving.Wait()
	})
	return p
}

// cutNext has the next commit lost, or only the answer to it.
func (p *commitProxy) cutNext(after bool) {
	if after {
		p.armed.Store(cutAfter)
	} else {
		p.armed.Store(cutBefore)
	}
}

// relay passes on what both sides say until one of them ends.
func (p *commitProxy) relay(from net.Conn) {
	defer from.Close()
	to, err := net.DialTimeout("tcp", p.server, 10*time.Second)
	if err != nil {
		return
	}
	defer to.Close()
	var deaf atomic.Bool // the answers of the server get lost
	var answers sync.WaitGroup
	answers.Go(func() {
		defer from.Close()
		buffer := make([]byte, 32<<10)
		for {
			n, err := to.Read(buffer)
			if err != nil || deaf.Load() {
				return
			}
			if _, err := from.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
	defer answers.Wait()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			to.Close()
			return
		}
		commits := bytes.HasSuffix(buffer[:n], commitMessage)
		if commits && p.armed.CompareAndSwap(cutBefore, cutNothing) {
			p.cuts[false].Add(1)
			to.Close()
			return
		}
		if commits && p.armed.CompareAndSwap(cutAfter, cutNothing) {
			p.cuts[true].Add(1)
			deaf.Store(true)
			_, _ = to.Write(buffer[:n]) // the answer that comes next, if any, ends the connection
			answers.Wait()
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
