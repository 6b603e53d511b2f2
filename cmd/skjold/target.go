package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// localAccount is the account of what is published by data directory.
const localAccount = "local:command-line"

// publishTarget opens where publish publishes to: the server of --url, or the store of --data.
func (a *app) publishTarget(ctx context.Context, remote remoteFlags, collection string) (target, func(), error) {
	if remote.url != "" {
		client, err := remote.client(remote.url)
		if err != nil {
			return nil, nil, usageError{err}
		}
		if collection == "" {
			collection = client.CollectionInURL()
		}
		to, err := newRemoteTarget(ctx, client, collection)
		return to, func() {}, err
	}
	dir := dataDir(a.data)
	cfg, err := a.loadConfig(dir, nil)
	if err != nil {
		return nil, nil, err
	}
	st, err := openNodeStore(ctx, dir, cfg)
	if err != nil {
		return nil, nil, err
	}
	closeStore := func() { _ = st.Close() } // everything acknowledged is durable already
	c, err := chooseCollection(ctx, func(ctx context.Context) ([]taxii.CollectionResource, error) { return localCollections(ctx, st) }, collection)
	if err != nil {
		closeStore()
		return nil, nil, err
	}
	local, err := st.Collection(ctx, c.ID)
	if err != nil {
		closeStore()
		return nil, nil, err
	}
	return &localTarget{
		store: st, collection: local, max: int64(cfg.Limits.MaxContentLength),
		intake: taxii.NewIntake(taxii.IntakeOptions{
			Limits: objectLimits(cfg), CheckObject: checkObject(cfg), MaxFutureSkew: cfg.Limits.FutureSkew,
		}),
	}, closeStore, nil
}

func localCollections(ctx context.Context, st *store.Store) ([]taxii.CollectionResource, error) {
	all, err := st.Collections(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]taxii.CollectionResource, 0, len(all))
	for _, c := range all {
		list = append(list, taxii.CollectionResource{ID: c.ID, Title: c.Title, Alias: c.Alias, CanRead: true, CanWrite: true})
	}
	return list, nil
}

// localTarget publishes into a data directory by the rules that requests pass too.
type localTarget struct {
	store      *store.Store
	intake     *taxii.Intake
	collection taxii.Collection
	max        int64
}

func (t *localTarget) name() string    { return t.collection.Title }
func (t *localTarget) maxBytes() int64 { return t.max }

func (t *localTarget) send(ctx context.Context, objects [][]byte) (taxii.Status, error) {
	s, err := t.intake.Read(bytes.NewReader(taxii.JoinEnvelope(objects)), t.collection, localAccount)
	if err != nil {
		return taxii.Status{}, err
	}
	return t.store.Add(ctx, s)
}

// remoteTarget publishes to a TAXII 2.1 server.
type remoteTarget struct {
	client     *taxii.Client
	collection taxii.CollectionResource
	max        int64
	waiting    func(taxii.Status) // told how far the server is, where it takes its time; nil for nobody
}

// newRemoteTarget finds the collection and the server's limit.
func newRemoteTarget(ctx context.Context, client *taxii.Client, collection string) (*remoteTarget, error) {
	root, err := client.APIRoot(ctx)
	if err != nil {
		return nil, err
	}
	c, err := chooseCollection(ctx, client.Collections, collection)
	if err != nil {
		return nil, err
	}
	if !c.CanWrite {
		return nil, fmt.Errorf("this account may not write to collection %q", c.Title)
	}
	if root.MaxContentLength <= 0 {
		root.MaxContentLength = 1 << 20
	}
	return &remoteTarget{client: client, collection: c, max: root.MaxContentLength}, nil
}

func (t *remoteTarget) name() string    { return t.collection.Title }
func (t *remoteTarget) maxBytes() int64 { return t.max }

func (t *remoteTarget) send(ctx context.Context, objects [][]byte) (taxii.Status, error) {
	// A request whose answer is lost is repeated: the key lets the server know it again.
	status, err := t.client.Submit(ctx, t.collection.ID, objects, uuid.NewString())
	if err != nil {
		return status, err
	}
	status, err = t.client.Await(ctx, status, t.waiting)
	if errors.Is(err, taxii.ErrPending) {
		err = fmt.Errorf("%w (status %s: %d of %d objects are pending)", err, status.ID, status.PendingCount, status.TotalCount)
	}
	return status, err
}
