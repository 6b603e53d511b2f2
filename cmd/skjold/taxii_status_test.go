package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/skjold-exchange/skjold/taxii"
)

// cmdSettled asks for a status until it is complete, and holds what is true of every status on the way (§4.3.1).
func cmdSettled(ts *testscript.TestScript, _ bool, args []string) {
	must(ts, len(args) == 1, "settled ID")
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	c := conversationOf(ts)
	var before *taxii.Status
	for {
		c.answer = c.send(ts, request{method: "GET", target: ts.Getenv("ROOT") + "/status/" + args[0] + "/"})
		if c.answer.status != 200 {
			ts.Fatalf("the status answers %d: %s", c.answer.status, c.answer.body)
		}
		var now taxii.Status
		ts.Check(json.Unmarshal([]byte(c.answer.body), &now))
		ts.Check(consistent(now, before))
		if now.Status == taxii.StatusComplete {
			return
		}
		before = &now
		select {
		case <-ctx.Done():
			ts.Fatalf("the status is still pending: %s", c.answer.body)
		case <-tick.C:
		}
	}
}

// consistent tells what is wrong with a status that follows another one of the same submission; before may be nil.
func consistent(now taxii.Status, before *taxii.Status) error {
	if now.TotalCount != now.SuccessCount+now.FailureCount+now.PendingCount || len(now.Successes) != now.SuccessCount ||
		len(now.Failures) != now.FailureCount || len(now.Pendings) != now.PendingCount {
		return fmt.Errorf("the counts of a status are not those of its lists, or do not add up: %d, %d, %d of %d", now.SuccessCount,
			now.FailureCount, now.PendingCount, now.TotalCount)
	}
	if (now.Status == taxii.StatusPending) != (now.PendingCount > 0) {
		return fmt.Errorf("a status is %s with %d pending objects", now.Status, now.PendingCount)
	}
	if before != nil && (now.TotalCount != before.TotalCount || now.PendingCount > before.PendingCount) {
		return fmt.Errorf("%d of %d objects are pending, %d of %d were before", now.PendingCount, now.TotalCount, before.PendingCount, before.TotalCount)
	}
	return nil
}
