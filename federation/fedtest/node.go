package fedtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/jose"
)

// nodeType is the entity type of a node.
const nodeType = "taxii_node"

// Node is a party that serves: the anchor, a hub or a member. A test may change its exported fields before it asks for
// statements, which are signed anew each time.
type Node struct {
	ID          federation.EntityID
	Name, Class string
	OrgID       string
	Keys        federation.Keys
	// Superior issues the statements about it; nil for the anchor.
	Superior *Node
	// Admission is the founders' decision.
	Admission federation.Hash
	// Constraints and Policy stand in the superior's statement about it.
	Constraints federation.Constraints
	Policy      federation.MetadataPolicy
	// Say, where set, changes what the node says about itself.
	Say func(*federation.NodeConfiguration)
	// TrustMarks are those that its superior has issued to it: when each ends, by type.
	TrustMarks map[string]time.Time
	// Introductions are the nodes that introduced themselves here; Historical the node's former federation keys.
	Introductions *federation.Introductions
	Historical    []federation.HistoricalKey
	// Mux serves: the entity configuration, the federation endpoints, and what a test adds.
	Mux *http.ServeMux
	// Client is the node's one way out; Dialled counts the requests that it began.
	Client  *http.Client
	Dialled atomic.Int64

	federation   *Federation
	subordinates []*Node
}

// newNode starts a node's server: its port is in its entity id.
func (f *Federation) newNode(name string, superior *Node) *Node {
	f.T.Helper()
	n := &Node{Name: name, Superior: superior, Mux: http.NewServeMux(), federation: f}
	n.Keys = federation.Keys{Federation: NewKey(f.T), Request: NewKey(f.T)}
	server := httptest.NewServer(n.Mux)
	f.T.Cleanup(server.Close)
	n.ID = federation.EntityID(server.URL)
	n.Client = federation.NewHTTPClient(federation.ClientOptions{Self: n.ID})
	n.Client.Transport = countingTransport{base: n.Client.Transport, count: &n.Dialled}
	f.T.Cleanup(n.Client.CloseIdleConnections)
	n.Mux.HandleFunc("GET "+federation.WellKnownPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", federation.StatementMediaType)
		_, _ = io.WriteString(w, n.Configuration())
	})
	n.Introductions = federation.NewIntroductions(federation.IntroductionOptions{Self: n.ID, Chain: f.ChainOptions})
	f.Nodes = append(f.Nodes, n)
	return n
}

// AddHub adds a party that issues statements, admitted by the founders, below the anchor or another hub.
func (f *Federation) AddHub(name string, superior *Node) *Node {
	f.T.Helper()
	return f.add(name, "hub", superior)
}

// AddMember adds a party that issues none, admitted by the founders.
func (f *Federation) AddMember(name string, superior *Node) *Node {
	f.T.Helper()
	return f.add(name, "company", superior)
}

func (f *Federation) add(name, class string, superior *Node) *Node {
	f.T.Helper()
	n := f.newNode(name, superior)
	n.Class, n.OrgID = class, fmt.Sprintf("cvr:%08d", len(f.Nodes))
	n.Admission = f.admit(n)
	superior.subordinates = append(superior.subordinates, n)
	n.serve()
	return n
}

// Subordinates are the nodes right below, in the order in which they were added.
func (n *Node) Subordinates() []*Node { return slices.Clone(n.subordinates) }

// IssuesStatements tells whether the node is the anchor or a hub.
func (n *Node) IssuesStatements() bool { return n.Superior == nil || n.Class == "hub" }

// Said is what the node says about itself: Say may change it.
func (n *Node) Said() federation.NodeConfiguration {
	c := federation.NodeConfiguration{Entity: n.ID, Keys: n.Keys, Organization: n.Name, IssuesStatements: n.IssuesStatements()}
	if n.Superior != nil {
		c.Superiors = []federation.EntityID{n.Superior.ID}
	}
	if n.Say != nil {
		n.Say(&c)
	}
	return c
}

// Configuration is the signed entity configuration.
func (n *Node) Configuration() string {
	return must(n.Said().Sign(n.federation.Clock.Now()))(n.federation.T)
}

// Statement is what the superior says about the node, to be signed.
func (n *Node) Statement() federation.SubordinateStatement {
	return federation.SubordinateStatement{
		Statement: federation.Statement{
			Issuer: n.Superior.ID, Subject: n.ID, Keys: n.jwks(n.Keys.Federation),
			Metadata: federation.Metadata{nodeType: {"org_id": must(json.Marshal(n.OrgID))(n.federation.T)}},
		},
		Constraints: n.Constraints, Policy: n.Policy, Admission: string(n.Admission),
	}
}

// SignedStatement is the superior's signed statement about the node.
func (n *Node) SignedStatement() string {
	return must(n.Statement().Sign(n.Superior.Keys.Federation, n.federation.Clock.Now()))(n.federation.T)
}

// Chain is the node's trust chain: its configuration, the statements about it and its superiors, the anchor's
// configuration.
func (n *Node) Chain() []string {
	chain := []string{n.Configuration()}
	at := n
	for ; at.Superior != nil; at = at.Superior {
		chain = append(chain, at.SignedStatement())
	}
	return append(chain, at.Configuration())
}

// Signer signs the node's requests, by the federation's clock.
func (n *Node) Signer() *federation.Signer {
	return &federation.Signer{Entity: n.ID, Key: n.Keys.Request, Now: n.federation.Clock.Now}
}

func (n *Node) jwks(keys ...*jose.Key) jose.KeySet {
	return must(federation.JWKS(keys...))(n.federation.T)
}

// countingTransport counts the requests that a node begins.
type countingTransport struct {
	base  http.RoundTripper
	count *atomic.Int64
}

func (t countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.count.Add(1)
	return t.base.RoundTrip(r)
}

// T is the test that the node belongs to.
func (n *Node) T() testing.TB { return n.federation.T }
