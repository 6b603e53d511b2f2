package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// demoPatience is how long the demonstration waits for nodes to meet before it goes on without.
const demoPatience = 30 * time.Second

// meet waits until every node has had an answer from each that it follows: before, they look for each other's trust chains
// and introduce themselves, and what is published meanwhile waits for that.
func (a *app) meet(ctx context.Context, f *demoFederation) error {
	began := time.Now()
	patient, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	switch err := repeatedly(patient, func() (int, error) { return f.strangers(patient, began) }); {
	case err == nil:
		fmt.Fprintf(a.out, "The nodes have found each other's trust chains and introduced themselves, in %s.\n\n", time.Since(began).Round(100*time.Millisecond))
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.Is(err, context.DeadlineExceeded):
		return err
	}
	fmt.Fprintf(a.out, "Not all nodes have met within %s; 'skjold federation status --data DIR' tells why.\n\n", demoPatience)
	return nil
}

// strangers counts the subscriptions that had no answer since the federation was started.
func (f *demoFederation) strangers(ctx context.Context, began time.Time) (int, error) {
	n := 0
	for _, s := range f.sites {
		list, err := s.node.store.Subscriptions(ctx)
		if err != nil {
			return 0, err
		}
		for _, sub := range list {
			if sub.LastSuccess.Before(began) {
				n++
			}
		}
	}
	return n, nil
}

// repeatedly asks how much is missing until it is nothing. If ctx ends before, it returns ctx's error.
func repeatedly(ctx context.Context, missing func() (int, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if n, err := missing(); n == 0 && err == nil {
			return nil
		} else if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
