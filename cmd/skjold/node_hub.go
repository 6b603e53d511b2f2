package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// pulling is the prefix of the duty of a hub's process to pull a subscription, before its number.
const pulling = "subscription "

// assigned returns those of the subscriptions that this process pulls, of those that serve the node: all of them on the
// embedded database.
func (n *node) assigned(ctx context.Context, subscriptions []int64) ([]int64, error) {
	duties := make([]string, len(subscriptions))
	for i, id := range subscriptions {
		duties[i] = pulling + strconv.FormatInt(id, 10)
	}
	held, err := n.store.Hold(ctx, "replication", duties)
	if err != nil {
		return nil, err
	}
	mine := make([]int64, len(held))
	for i, duty := range held {
		if mine[i], err = strconv.ParseInt(strings.TrimPrefix(duty, pulling), 10, 64); err != nil {
			return nil, fmt.Errorf("the duty %q: %w", duty, err)
		}
	}
	return mine, nil
}
