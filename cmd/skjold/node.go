package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/skjold-exchange/skjold/cache"
	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/sharing"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/stix/pattern"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// node is one running node: its store, its TAXII server and its part in the federation.
type node struct {
	dir        dataDir
	cfg        *config.Config
	log        *slog.Logger
	registry   *prometheus.Registry
	keys       *nodeKeys
	store      *store.Store
	cache      *cache.Store // the store with ready pages, for the TAXII server
	taxii      *taxii.Server
	verifier   *federation.Verifier // nil when federation is off
	identity   http.Handler         // the entity configuration; nil when federation is off
	replicator *sync.Replicator     // nil when federation is off
	members    *membership          // the federation's records; nil where no founding charter is pinned
	trust      *trust               // the same
	pusher     *sync.Pusher         // nil when federation is off
	hosting    *federation.Hosting  // keeps the entity configuration at a hub; nil where none hosts it
	ready      readiness
	auth       taxii.Authenticator
	tls        *tlsFiles // what the node serves HTTPS with; nil for plain HTTP
}

// openNode wires a node of an initialised data directory. onApplied, if set, is told of every page that was pulled.
func openNode(ctx context.Context, dir dataDir, cfg *config.Config, log *slog.Logger, onApplied func(sync.Subscription, sync.PulledPage, sync.Applied)) (*node, error) {
	n := &node{dir: dir, cfg: cfg, log: log, registry: prometheus.NewRegistry()}
	n.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := dir.requireDatabase(cfg); err != nil {
		return nil, err
	}
	var err error
	if n.tls, err = loadTLS(cfg.TLS, log); err != nil {
		return nil, err
	}
	n.store, err = store.Open(ctx, store.Options{Dir: string(dir), URL: string(cfg.Database.URL), PatternValues: pattern.Values, Logger: log, Registerer: n.registry,
		Submissions: submissionOptions(cfg), SlowStatement: cfg.Database.SlowQuery})
	if err != nil {
		return nil, err
	}
	n.registry.MustRegister(newClientMetrics(n.store, cfg.Metrics.Clients, log))
	keys, err := openNodeKeys(dir, log)
	if err == nil {
		err = checkOwner(ctx, n.store, nodeName(cfg.Entity, keys.ring.Keys(time.Now())))
	}
	if cfg.Federation.Enabled && cfg.Federation.Charter != "" {
		n.members = newMembership(cfg.Federation.Charter, dir, log)
	}
	if err == nil {
		n.cache, err = openCache(n.store, cfg, log, n.registry)
	}
	if err == nil && cfg.Federation.Enabled {
		n.keys = keys
		err = n.federate(ctx, keys, onApplied)
	}
	if err != nil {
		return nil, errors.Join(err, n.close())
	}
	n.auth = n.newAuthenticator()
	n.taxii = taxii.NewServer(taxii.Options{
		Title: cfg.Title, Description: cfg.Description, Contact: cfg.Contact, PublicURL: cfg.PublicURL,
		APIRoot: cfg.APIRoot.Name, APIRootTitle: cfg.APIRoot.Title, APIRootDescription: cfg.APIRoot.Description,
		Store: n.cache, Authenticator: n.auth, Visibility: policy{},
		MaxContentLength: int64(cfg.Limits.MaxContentLength), MaxBuffered: int64(cfg.Limits.MaxReceiving), MaxSending: int64(cfg.Limits.MaxSending),
		PageDefault: cfg.Limits.PageDefault, PageMax: cfg.Limits.PageMax,
		SyncObjects: cfg.Submissions.SyncObjects, BodyTimeout: cfg.Limits.BodyTimeout, SendTimeout: cfg.Limits.SendTimeout, MinSendRate: int64(cfg.Limits.MinSendRate),
		Timeout: cfg.Limits.RequestTimeout, Limits: objectLimits(cfg), MaxObjects: cfg.Limits.MaxObjects,
		Rates:         taxii.Rates{Requests: int64(cfg.Limits.RequestRate), Octets: int64(cfg.Limits.ByteRate)},
		MaxFutureSkew: cfg.Limits.FutureSkew, CheckObject: checkObject(cfg), Logger: log, Registerer: n.registry,
	})
	return n, nil
}

// federate prepares the node to serve peers and to pull from them.
func (n *node) federate(ctx context.Context, keys *nodeKeys, onApplied func(sync.Subscription, sync.PulledPage, sync.Applied)) error {
	entity, err := federation.ParseEntityID(n.cfg.Entity)
	if err != nil {
		return fmt.Errorf("entity: %w", err)
	}
	signer := &federation.Signer{Entity: entity, KeyNow: keys.request}
	start, err := n.tokensFrom(ctx)
	if err != nil {
		return err
	}
	identity := federation.WellKnown(federation.WellKnownOptions{Life: n.cfg.Federation.StatementLife, Configuration: func() (federation.NodeConfiguration, error) {
		return n.says(context.WithoutCancel(ctx), keys) // requests are answered to the end of the drain
	}})
	n.identity = identity
	client := federation.NewHTTPClient(federation.ClientOptions{Self: entity, AllowPrivate: n.cfg.Federation.AllowPrivateAddresses})
	verifier := federation.VerifierOptions{Self: entity, BaseURL: n.cfg.PublicURL, Peers: n.store, Start: start, OnAhead: n.tokensAhead}
	if n.cfg.Database.URL != "" { // others may serve the node too
		verifier.Shared = usedTokens{node: n.cfg.Entity, fast: n.cache, sure: n.store}
	}
	var chain func() []string
	partners := partners{pinned: n.store}
	if n.members != nil {
		if n.trust, err = n.newTrust(ctx, entity, keys, identity, client); err != nil {
			return err
		}
		verifier.Introductions, chain, partners.chains = n.trust.introductions, n.trust.statements, n.trust.peers
		verifier.Allow, partners.allow, partners.revoked = n.trust.state.allow, n.trust.state.allowPull, n.trust.state.revoked
	}
	if n.verifier, err = federation.NewVerifier(verifier); err != nil {
		return err
	}
	n.hosting = n.newHosting(signer, identity, client, chain)
	n.replicator, err = sync.New(sync.Options{
		Store: n.store, Peers: partners, Signer: signer, Chain: chain, HTTP: client,
		Interval: n.cfg.Federation.PollInterval, PageSize: n.cfg.Federation.PageSize, Lenient: n.cfg.Federation.Lenient,
		Limits: objectLimits(n.cfg), Check: checkObject(n.cfg), MaxFutureSkew: n.cfg.Limits.FutureSkew, Refuse: n.refuseForeign,
		Assigned:  n.assigned,
		OnApplied: onApplied, Logger: n.log, Registerer: n.registry,
	})
	if err != nil {
		return err
	}
	n.pusher, err = sync.NewPusher(sync.Options{
		Peers: partners, Signer: signer, Chain: chain, HTTP: client, Interval: n.cfg.Federation.PollInterval, Limits: objectLimits(n.cfg), Logger: n.log,
	}, assignedPushes{pushStore{n.store}})
	return err
}

// says is what the node says about itself now.
func (n *node) says(ctx context.Context, keys *nodeKeys) (federation.NodeConfiguration, error) {
	c := saidBy(n.cfg)
	c.IssuesStatements = n.trust != nil && n.trust.issues()
	if n.trust != nil {
		if err := showMarks(ctx, n.store, &c); err != nil {
			return c, err
		}
	}
	return keys.configuration(c), nil
}

// aheadFact is where a node notes the latest time of issue, in the future then, of a token that it may have accepted.
const aheadFact = "tokens_ahead"

// tokensFrom is the time from which on tokens are taken: now, or later where the process before accepted tokens of a
// clock that is ahead, which could be replayed otherwise.
func (n *node) tokensFrom(ctx context.Context) (time.Time, error) {
	now := time.Now()
	text, err := n.store.Meta(ctx, aheadFact)
	if isNotFound(err) {
		return now, nil
	}
	ahead, parseErr := time.Parse(time.RFC3339, text)
	if err := errors.Join(err, parseErr); err != nil {
		return now, err
	}
	if ahead.After(now) {
		return ahead.Add(time.Second), nil // times of issue are whole seconds
	}
	return now, nil
}

// tokensAhead notes durably that tokens up to a time in the future may be accepted.
func (n *node) tokensAhead(ctx context.Context, until time.Time) error {
	return n.store.SetMeta(ctx, aheadFact, until.UTC().Format(time.RFC3339))
}

// refuseForeign keeps objects of peers out of a collection, all of them while the node is isolated.
func (n *node) refuseForeign(ctx context.Context, s sync.Subscription) (func(*stix.Object) string, error) {
	if n.trust != nil {
		if reason := n.trust.state.quarantine(); reason != "" {
			return func(*stix.Object) string { return reason }, nil
		}
	}
	return n.refuseUnmarked(ctx, s)
}

// refuseUnmarked keeps objects without a TLP marking out of a collection that takes marked ones only. Its error fails
// the page, which is then pulled again: that the store does not answer is no fault of the objects.
func (n *node) refuseUnmarked(ctx context.Context, s sync.Subscription) (func(*stix.Object) string, error) {
	c, err := n.store.Collection(ctx, s.Into)
	if err != nil {
		return nil, err
	}
	return func(o *stix.Object) string {
		if c.DefaultTLP == stix.TLPUnmarked && o.Markings().TLP == stix.TLPUnmarked {
			return "the object has no TLP marking, and this collection takes marked objects only"
		}
		return ""
	}, nil
}

// run owns the node's background work until ctx ends.
func (n *node) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return n.store.Run(ctx) })
	group.Go(func() error { return n.cache.Run(ctx) })
	if n.trust != nil {
		group.Go(func() error { return n.trust.run(ctx) })
	}
	if n.cfg.Federation.Enabled {
		group.Go(func() error { return n.runRotation(ctx, n.keys) })
	}
	if n.trust != nil {
		group.Go(func() error { return n.trust.keepIssuers(ctx, n.store, n.log) })
	}
	if n.pusher != nil {
		group.Go(func() error { return n.pusher.Run(ctx) })
	}
	if n.hosting != nil {
		group.Go(func() error { return n.hosting.Run(ctx) })
	}
	if n.replicator != nil {
		group.Go(func() error { return n.replicator.Run(ctx) })
	}
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// close releases what openNode took; run must have returned.
func (n *node) close() error {
	var err error
	if n.cache != nil {
		err = n.cache.Close()
	}
	return errors.Join(err, n.store.Close())
}

// apiRootURL is the absolute URL of the node's API root.
func apiRootURL(cfg *config.Config) string {
	return cfg.PublicURL + "/taxii2/" + cfg.APIRoot.Name + "/"
}

func submissionOptions(cfg *config.Config) store.SubmissionOptions {
	s := cfg.Submissions
	return store.SubmissionOptions{
		Pending: int64(s.Pending), PendingPerAccount: int64(s.PendingPerAccount),
		PendingBytes: int64(s.PendingSize), PendingBytesPerAccount: int64(s.PendingSizePerAccount),
	}
}

func objectLimits(cfg *config.Config) stix.Limits {
	l := stix.DefaultLimits()
	l.ObjectBytes = int(cfg.Limits.ObjectSize)
	l.Depth = cfg.Limits.ObjectDepth
	return l
}

// checkOptions are the rules for what enters a node: all of STIX 2.1, patterns included.
func checkOptions() stix.Options {
	return stix.Options{Limits: stix.DefaultLimits(), Now: time.Now, CheckPattern: pattern.Check, PatternTimes: pattern.Times}
}

func checkObject(cfg *config.Config) func([]byte) (*stix.Object, stix.Report) {
	o := checkOptions()
	o.Limits = objectLimits(cfg)
	return func(raw []byte) (*stix.Object, stix.Report) { return stix.Check(raw, o) }
}

// policy is the sharing policy as the TAXII server asks it.
type policy struct{}

// Visible implements taxii.Visibility by sharing.Decide.
func (policy) Visible(p *taxii.Principal, c taxii.Collection, m stix.MarkingSet, unknown bool) bool {
	r := sharing.Request{Markings: sharing.Markings{Set: m, Default: c.DefaultTLP, Unknown: unknown}}
	switch p.Kind {
	case taxii.ClientAccount:
		r.Recipient = sharing.OwnTool
	case taxii.PeerNode:
		r.Recipient, r.MaxTLP = sharing.PeerNode, p.MaxTLP[c.ID]
	}
	return sharing.Decide(r).Allow
}
