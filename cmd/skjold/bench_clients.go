package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// benchClients measures polls that find nothing new by many accounts in turn, as those of small firms at a hub: no request
// finds its credentials remembered, and each account's position is noted. The yardstick is as many polls by one account.
func benchClients(ctx context.Context, b *bench) (err error) {
	if b.accounts < 100 {
		return usagef("--accounts is at least 100")
	}
	database, err := b.databaseURL()
	if err != nil {
		return err
	}
	n, err := b.newNode(ctx, "clients", database, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	b.load = findLoader(true)
	lots, err := envelopes(newBenchFeed(benchSeed), benchEnvelope)
	if err != nil {
		return err
	}
	if err := b.fill(ctx, n.account(), lots); err != nil {
		return err
	}
	held, err := n.node.store.Collection(ctx, n.collection)
	if err != nil {
		return err
	}
	firms, err := b.addAccounts(ctx, n)
	if err != nil {
		return err
	}
	query := "?added_after=" + held.Last.String()
	poll := func(who func(i int) benchAccess) (float64, error) {
		return perSecond(b.accounts, func() error {
			return inParallel(ctx, b.connections, b.accounts, func(ctx context.Context, i int) error {
				_, _, err := who(i).get(ctx, query, "gzip")
				return err
			})
		})
	}
	var many, one []float64
	bar := newProgress(b.err, int64(b.rounds), false, "polling")
	defer bar.done()
	for range b.rounds {
		rate, err := poll(func(i int) benchAccess { return firms[i] })
		if err != nil {
			return err
		}
		many = append(many, rate)
		if rate, err = poll(func(int) benchAccess { return n.account() }); err != nil {
			return err
		}
		one = append(one, rate)
		bar.add(1)
	}
	b.compared(fmt.Sprintf("polls by %d accounts in turn, nothing new", b.accounts), "requests/s", "by one account", many, one, bound{})
	return nil
}

// addAccounts makes --accounts accounts that may read the node's collection.
func (b *bench) addAccounts(ctx context.Context, n *benchNode) ([]benchAccess, error) {
	firms := make([]benchAccess, b.accounts)
	bar := newProgress(b.err, int64(b.accounts), false, "making accounts")
	defer bar.done()
	return firms, inParallel(ctx, b.connections, b.accounts, func(ctx context.Context, i int) error {
		defer bar.add(1)
		firms[i] = n.account()
		firms[i].user = fmt.Sprintf("firm-%06d", i)
		var err error
		firms[i].key, err = n.node.store.AddClient(ctx, store.Client{Name: firms[i].user, Rights: map[string]taxii.Rights{n.collection: {Read: true}}})
		return err
	})
}
