package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	stdsync "sync"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// Accounts that the demonstration makes at each node.
const (
	demoReader  = "reader"
	demoAnalyst = "analyst"
)

// demoPoll is how often the nodes of the demonstration ask each other, in place of the minute of a real one.
const demoPoll = 250 * time.Millisecond

// demoNode is a running site.
type demoNode struct {
	demoSite
	dir        dataDir
	entity     federation.EntityID
	apiRoot    string
	collection string
	readerKey  string
	analystKey string
	listener   net.Listener
	node       *node

	mu       stdsync.Mutex
	arrivals map[demoObject]time.Time // when each object version came in by federation; zero: before this run
}

// demoObject names an object version.
type demoObject struct {
	id      stix.Identifier
	version string // "" for SCOs, which have none
}

func objectOf(o *stix.Object) demoObject { return demoObject{o.ID, o.Version().SortKey()} }

// demoFederation is the running demonstration.
type demoFederation struct {
	sites       []*demoNode
	secretariat *demoNode // signs statements, and exchanges nothing
	feed        *feed

	mu        stdsync.Mutex
	published []demoPublication
}

// demoPublication is an object that the analyst published.
type demoPublication struct {
	demoObject
	name  string
	level stix.TLP
	at    time.Time // when the publisher's node had stored it
	stays bool      // the sharing policy keeps it at the publisher
}

// accounts makes the reader and the analyst, or gives them new keys in a directory that was used before.
func (s *demoNode) accounts(ctx context.Context) error {
	st := s.node.store
	c, err := st.FindCollection(ctx, firstAlias)
	if err != nil {
		return err
	}
	s.collection = c.ID
	for _, account := range []struct {
		name   string
		rights taxii.Rights
		key    *string
	}{{demoReader, taxii.Rights{Read: true}, &s.readerKey}, {demoAnalyst, taxii.Rights{Read: true, Write: true}, &s.analystKey}} {
		key, err := st.AddClient(ctx, store.Client{Name: account.name, Rights: map[string]taxii.Rights{c.ID: account.rights}})
		if errors.Is(err, store.ErrExists) {
			key, err = st.RotateClient(ctx, account.name, 0)
		}
		if err != nil {
			return err
		}
		*account.key = key
	}
	return nil
}

// openToMembers lets all members of the federation read the site's collection: nobody is pinned.
func (s *demoNode) openToMembers(ctx context.Context) error {
	return writeOpened(ctx, s.node.store, map[string]opening{s.collection: {level: stix.TLPGreen}})
}

// follow subscribes to a site's collection: what an operator does with federation subscribe.
func (s *demoNode) follow(ctx context.Context, peer *demoNode) error {
	_, err := s.node.store.Subscribe(ctx, sync.Subscription{Peer: peer.entity, Collection: firstAlias, Into: s.collection, Created: time.Now()})
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return err
}

// applied notes when objects came in. The first arrival counts: what comes again by another way was there already.
func (s *demoNode) applied(_ sync.Subscription, page sync.PulledPage, _ sync.Applied) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, item := range page.Items {
		if item.Object == nil || item.Refused != "" {
			continue
		}
		o := objectOf(item.Object)
		if _, ok := s.arrivals[o]; !ok {
			s.arrivals[o] = now
		}
	}
}

// arrival is when an object came in; false if it has not.
func (s *demoNode) arrival(o demoObject) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.arrivals[o]
	return t, ok
}

// close closes a site that is not serving any more.
func (s *demoNode) close() error {
	var err error
	if s.listener != nil {
		err = s.listener.Close()
	}
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if s.node != nil {
		err = errors.Join(err, s.node.close())
	}
	return err
}

// all are the sites and the secretariat.
func (f *demoFederation) all() []*demoNode { return append(slices.Clone(f.sites), f.secretariat) }

func (f *demoFederation) close() error {
	var errs []error
	for _, s := range f.all() {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// target is the publisher's collection, reached as an analyst reaches it.
func (f *demoFederation) target(ctx context.Context) (*remoteTarget, error) {
	s := f.sites[demoPublisher]
	client, err := taxii.NewClient(taxii.ClientOptions{URL: s.apiRoot, User: demoAnalyst, Password: s.analystKey, UserAgent: "skjold-demo"})
	if err != nil {
		return nil, err
	}
	return newRemoteTarget(ctx, client, firstAlias)
}

// publishMadeUp publishes a few made-up indicators in one request.
func (f *demoFederation) publishMadeUp(ctx context.Context, n int) error {
	to, err := f.target(ctx)
	if err != nil {
		return err
	}
	var batch [][]byte
	for range n {
		raw, err := f.feed.indicator(demoLevels[f.feed.rng.IntN(len(demoLevels))])
		if err != nil {
			return err
		}
		batch = append(batch, raw)
	}
	return f.send(ctx, to, batch)
}

// publishFixedSet publishes twenty indicators in four requests, four of them for the house only.
func (f *demoFederation) publishFixedSet(ctx context.Context) error {
	to, err := f.target(ctx)
	if err != nil {
		return err
	}
	for range 4 {
		var batch [][]byte
		for _, level := range demoLevels {
			raw, err := f.feed.indicator(level)
			if err != nil {
				return err
			}
			batch = append(batch, raw)
		}
		if err := f.send(ctx, to, batch); err != nil {
			return err
		}
	}
	return nil
}

// publishBundle publishes a file with the code of skjold publish, and prints its summary.
func (f *demoFederation) publishBundle(ctx context.Context, a *app, file string) error {
	to, err := f.target(ctx)
	if err != nil {
		return err
	}
	p := &publisher{app: a, to: demoTarget{to, f}, began: time.Now()}
	err = p.all(ctx, []string{file})
	if sumErr := p.summary(err); err == nil && !errors.Is(sumErr, errSilent) {
		err = sumErr // refused objects are listed and counted; the others go their way
	}
	return err
}

// demoTarget notes what skjold publish sends.
type demoTarget struct {
	target
	f *demoFederation
}

func (t demoTarget) send(ctx context.Context, batch [][]byte) (taxii.Status, error) {
	status, err := t.target.send(ctx, batch)
	if err == nil {
		err = t.f.note(ctx, batch, status)
	}
	return status, err
}

func (f *demoFederation) send(ctx context.Context, to target, batch [][]byte) error {
	status, err := to.send(ctx, batch)
	if err != nil {
		return err
	}
	for _, failure := range status.Failures {
		return fmt.Errorf("the node refused a made-up indicator: %s: %s", failure.ID, failure.Message)
	}
	return f.note(ctx, batch, status)
}

// note records what the publisher's node has stored, and whether the sharing policy lets it leave.
func (f *demoFederation) note(ctx context.Context, batch [][]byte, status taxii.Status) error {
	now := time.Now()
	stored := map[string]bool{}
	for _, s := range status.Successes {
		stored[s.ID] = true
	}
	origin := f.sites[demoPublisher]
	leaves, err := origin.mayLeave(context.WithoutCancel(ctx)) // what was stored is shown, also while stopping
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, raw := range batch {
		o, err := stix.Parse(raw, stix.DefaultLimits())
		if err != nil || !stored[string(o.ID)] {
			continue
		}
		p := demoPublication{demoObject: objectOf(o), name: nameOf(raw), level: o.Markings().Level(stix.TLPGreen, false), at: now}
		p.stays = !leaves[o.ID]
		f.published = append(f.published, p)
	}
	return nil
}

// remember notes what the site holds from an earlier run.
func (s *demoNode) remember(ctx context.Context) error {
	return s.entries(ctx, nil, func(e taxii.Entry) {
		if o, err := stix.Parse(e.Raw, stix.DefaultLimits()); err == nil {
			s.arrivals[objectOf(o)] = time.Time{}
		}
	})
}

// mayLeave is the set of objects that the sharing policy lets the site serve to its peers.
func (s *demoNode) mayLeave(ctx context.Context) (map[stix.Identifier]bool, error) {
	c, err := s.node.store.Collection(ctx, s.collection)
	if err != nil {
		return nil, err
	}
	peer := &taxii.Principal{Kind: taxii.PeerNode, MaxTLP: map[string]stix.TLP{c.ID: stix.TLPGreen}}
	visible := func(m stix.MarkingSet, unknown bool) bool { return policy{}.Visible(peer, c, m, unknown) }
	ids := map[stix.Identifier]bool{}
	return ids, s.entries(ctx, visible, func(e taxii.Entry) { ids[e.ID] = true })
}

// entries hands over every entry of the site's collection that is visible; all of them if visible is nil.
func (s *demoNode) entries(ctx context.Context, visible func(stix.MarkingSet, bool) bool, f func(taxii.Entry)) error {
	q := taxii.Query{Collection: s.collection, Limit: 5000, Version: taxii.VersionMatch{All: true}, Visible: visible, Bytes: true}
	for {
		page, err := s.node.store.Entries(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			f(e)
			q.After = e.DateAdded
		}
		if !page.More {
			return nil
		}
	}
}

// publications is a copy of what was published so far.
func (f *demoFederation) publications() []demoPublication {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.published)
}

// wait returns when every node has every object that may leave the publisher.
func (f *demoFederation) wait(ctx context.Context) error {
	missing := 0
	err := repeatedly(ctx, func() (int, error) {
		missing = 0
		for _, s := range f.sites[demoPublisher+1:] {
			for _, p := range f.publications() {
				if _, ok := s.arrival(p.demoObject); !ok && !p.stays {
					missing++
				}
			}
		}
		return missing, nil
	})
	if err != nil {
		return fmt.Errorf("%d objects had not reached their nodes when the time was over", missing)
	}
	return nil
}
