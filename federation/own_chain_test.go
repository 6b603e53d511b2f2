package federation_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/fedtest"
)

// ownChain keeps the chain of a node.
func ownChain(t testing.TB, f *fedtest.Federation, n *fedtest.Node, file string) *federation.OwnChain {
	t.Helper()
	c, err := federation.NewOwnChain(federation.OwnChainOptions{
		Configuration: func() (string, error) { return n.Configuration(), nil }, HTTP: n.Client, Chain: f.ChainOptions, File: file,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestOwnChain: a node finds its chain by its superiors, keeps it over a restart and uses it until its end.
func TestOwnChain(t *testing.T) {
	f, _, _, _, firm := region(t)
	file := filepath.Join(t.TempDir(), "chain.json")
	c := ownChain(t, f, firm, file)
	if c.Statements() != nil {
		t.Error("there is a chain before it was found")
	}
	if err := c.Refresh(t.Context()); err != nil || c.Err() != nil {
		t.Fatal(err, c.Err())
	}
	if n := firm.Dialled.Load(); n != 6 { // a configuration and a statement of three superiors
		t.Errorf("%d requests were made, want 6", n)
	}
	chain := c.Chain()
	if chain.Entity != firm.ID || chain.Anchor != f.Anchor.ID || len(c.Statements()) != 5 {
		t.Errorf("the chain of %s to %s has %d statements", chain.Entity, chain.Anchor, len(c.Statements()))
	}
	again := ownChain(t, f, firm, file)
	if again.Chain() == nil || firm.Dialled.Load() != 6 {
		t.Error("the chain is not kept over a restart")
	}
	f.Clock.Advance(25 * time.Hour)
	if c.Chain() != nil || ownChain(t, f, firm, file).Chain() != nil {
		t.Error("a chain is shown after its end")
	}
	if err := os.WriteFile(file, []byte("[damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if ownChain(t, f, firm, file).Chain() != nil {
		t.Error("a damaged file gives a chain")
	}
}

// TestOwnChainSaysWhatIsNew: what the node says of itself now is in the chain that it shows, without a search, unless it
// is signed by a key that its superiors do not state yet.
func TestOwnChainSaysWhatIsNew(t *testing.T) {
	f, _, _, city, _ := region(t)
	c := ownChain(t, f, city, "")
	if err := c.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	dialled := city.Dialled.Load()
	city.Say = func(c *federation.NodeConfiguration) { c.Organization = "New name" }
	if shown := c.Statements(); shown[0] != city.Configuration() || c.Chain().Configuration.Metadata.Text("taxii_node", "organization_name") != "New name" {
		t.Error("the chain says what the node said before")
	}
	before := c.Statements()[0]
	city.Say = func(c *federation.NodeConfiguration) { c.Keys.Federation = fedtest.NewKey(t) }
	if shown := c.Statements(); shown[0] != before {
		t.Error("the chain is broken by a key that nobody states")
	}
	if n := city.Dialled.Load(); n != dialled {
		t.Errorf("%d requests were made", n-dialled)
	}
}

// TestOwnChainWithoutSuperiors: what was found stays when nobody answers, and the operator is told why.
func TestOwnChainWithoutSuperiors(t *testing.T) {
	f, _, _, city, _ := region(t)
	c := ownChain(t, f, city, "")
	if err := c.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := city.Client.Transport
	city.Client.Transport = roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("the centre is gone") })
	if err := c.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "the centre is gone") || c.Err() == nil {
		t.Errorf("got %v", err)
	}
	if c.Statements() == nil {
		t.Error("the chain was thrown away")
	}
	city.Client.Transport = before
	if err := c.Refresh(t.Context()); err != nil || c.Err() != nil {
		t.Errorf("afterwards: %v, %v", err, c.Err())
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestOwnChainRuns: the background work finds the chain at once, and ends with its context.
func TestOwnChainRuns(t *testing.T) {
	f, _, _, city, _ := region(t)
	c := ownChain(t, f, city, "")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for c.Chain() == nil {
		select {
		case <-ctx.Done():
			t.Fatal("no chain was found")
		case <-ticker.C:
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

// TestFindTrustChainIsBounded: whatever superiors say, a search ends after eight requests and four levels.
func TestFindTrustChainIsBounded(t *testing.T) {
	find := func(f *fedtest.Federation, n *fedtest.Node) error {
		_, err := federation.FindTrustChain(t.Context(), n.Client, n.Configuration(), f.ChainOptions())
		return err
	}
	for name, tt := range map[string]struct {
		change  func(f *fedtest.Federation, hub, inner, city, firm *fedtest.Node)
		who     string // "city" is below the hub, "firm" two levels lower
		want    string
		fetches int64 // at most
	}{
		"no superior": {change: func(_ *fedtest.Federation, _, _, city, _ *fedtest.Node) {
			city.Say = func(c *federation.NodeConfiguration) { c.Superiors = nil }
		}, want: "names no superior"},
		"superiors in a circle": {change: func(_ *fedtest.Federation, hub, inner, _, _ *fedtest.Node) {
			hub.Say = func(c *federation.NodeConfiguration) { c.Superiors = []federation.EntityID{inner.ID} }
		}, who: "firm", want: "404", fetches: 8},
		"a superior that is no anchor and has none": {change: func(_ *fedtest.Federation, hub, _, _, _ *fedtest.Node) {
			hub.Say = func(c *federation.NodeConfiguration) { c.Superiors = nil }
		}, want: "no pinned anchor", fetches: 2},
		"a superior that knows nothing of it": {change: func(_ *fedtest.Federation, _, inner, city, _ *fedtest.Node) {
			city.Say = func(c *federation.NodeConfiguration) { c.Superiors = []federation.EntityID{inner.ID} }
		}, want: "issues no statement about", fetches: 2},
		"a superior without a fetch endpoint": {change: func(_ *fedtest.Federation, hub, _, _, _ *fedtest.Node) {
			hub.Say = func(c *federation.NodeConfiguration) { c.IssuesStatements = false }
		}, want: "federation_fetch_endpoint", fetches: 1},
		"a fetch endpoint somewhere else": {change: func(_ *fedtest.Federation, hub, _, _, _ *fedtest.Node) {
			hub.Say = func(c *federation.NodeConfiguration) { c.BaseURL = "http://127.0.0.1:1" }
		}, want: "https", fetches: 1},
		"a real superior of a node on one machine": {change: func(_ *fedtest.Federation, _, _, city, _ *fedtest.Node) {
			city.Say = func(c *federation.NodeConfiguration) { c.Superiors = []federation.EntityID{"https://anchor.example"} }
		}, want: "never speak for each other"},
		"a decision that is missing": {change: func(_ *fedtest.Federation, _, _, city, _ *fedtest.Node) { city.Admission = "" },
			want: "without the founders' votes", fetches: 4},
	} {
		t.Run(name, func(t *testing.T) {
			f, hub, inner, city, firm := region(t)
			tt.change(f, hub, inner, city, firm)
			who := city
			if tt.who == "firm" {
				who = firm
			}
			if err := find(f, who); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if n := who.Dialled.Load(); n > tt.fetches {
				t.Errorf("%d requests, want at most %d", n, tt.fetches)
			}
		})
	}
	t.Run("three superiors, two of them useless", func(t *testing.T) {
		f, hub, inner, city, _ := region(t)
		city.Say = func(c *federation.NodeConfiguration) {
			c.Superiors = []federation.EntityID{"http://127.0.0.1:1", inner.ID, hub.ID}
		}
		if err := find(f, city); err != nil || city.Dialled.Load() > 8 {
			t.Errorf("%v after %d requests", err, city.Dialled.Load())
		}
	})
	t.Run("four levels, and one more", func(t *testing.T) {
		f, _, inner, _, _ := region(t)
		fourth := f.AddMember("fourth", f.AddHub("deep", inner))
		if err := find(f, fourth); err != nil || fourth.Dialled.Load() != 8 {
			t.Errorf("four levels: %v after %d requests", err, fourth.Dialled.Load())
		}
		fifth := f.AddMember("fifth", f.AddHub("deeper", fourth.Superior))
		if err := find(f, fifth); err == nil || !strings.Contains(err.Error(), "levels") || fifth.Dialled.Load() > 8 {
			t.Errorf("five levels: %v after %d requests", err, fifth.Dialled.Load())
		}
	})
	t.Run("an answer without end", func(t *testing.T) {
		f, _, _, city, _ := region(t)
		city.Client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/entity-statement+jwt"}}, Body: endless{}, Request: r}, nil
		})
		if err := find(f, city); err == nil || !strings.Contains(err.Error(), "at most 16384 bytes") {
			t.Errorf("got %v", err)
		}
	})
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func (endless) Close() error { return nil }
