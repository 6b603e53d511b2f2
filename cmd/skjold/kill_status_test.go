package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// TestKillWhilePending kills a node that has accepted a large submission, again and again while it works on it. What was
// accepted is stored in the end, every object once and byte for byte, and the status never went back.
func TestKillWhilePending(t *testing.T) {
	t.Parallel()
	const objects, kills = 6000, 4
	dir, made := newNodeDir(t, "a")
	process := startProcess(t, dir, "SKJOLD_SUBMISSIONS_SYNC_OBJECTS=100")
	client, err := taxii.NewClient(taxii.ClientOptions{URL: made.APIRoot, User: made.User, Password: made.Password})
	if err != nil {
		t.Fatal(err)
	}
	f := newFeed(7, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	var batch [][]byte
	want := map[string]string{}
	for range objects {
		raw, err := f.indicator(stix.TLPGreen)
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, raw)
		id, _ := stix.Identity(raw)
		want[id] = string(raw)
	}
	status, err := client.Submit(t.Context(), made.Collection, batch, "one-submission")
	if err != nil || status.PendingCount != objects || consistent(status, nil) != nil {
		t.Fatalf("%d of %d objects are pending, %v, %v", status.PendingCount, status.TotalCount, err, consistent(status, nil))
	}
	interrupted := 0
	for range kills {
		process.kill()
		process = startProcess(t, dir)
		var now taxii.Status
		eventually(t, time.Minute, func() error { // until something more is decided
			var err error
			if now, err = client.Status(t.Context(), status.ID); err != nil {
				return err
			}
			if now.Status == taxii.StatusPending && now.PendingCount == status.PendingCount {
				return fmt.Errorf("%d objects are still pending", now.PendingCount)
			}
			return nil
		})
		if err := consistent(now, &status); err != nil {
			t.Error(err)
		}
		status = now
		if status.Status == taxii.StatusPending {
			interrupted++
		}
	}
	again, err := client.Submit(t.Context(), made.Collection, batch, "one-submission")
	if err != nil || again.ID != status.ID {
		t.Errorf("the same submission after %d kills has the status %s, %v, not %s", kills, again.ID, err, status.ID)
	}
	status, err = client.Await(t.Context(), again, nil)
	if err != nil || status.SuccessCount != objects {
		t.Fatalf("%d of %d objects were stored, %v", status.SuccessCount, objects, err)
	}
	for _, detail := range status.Successes {
		if detail.Message != "" {
			t.Fatalf("%s was stored twice: %q", detail.ID, detail.Message)
		}
	}
	process.kill()
	held := holdings(t, dir)
	if len(held) != objects {
		t.Errorf("%d objects are held, want %d", len(held), objects)
	}
	for id, raw := range want {
		if held[id] != raw {
			t.Fatalf("%s is held as %q, want %q", id, held[id], raw)
		}
	}
	if interrupted == 0 {
		t.Error("no kill met a submission that was pending")
	}
	t.Logf("%d of %d kills met the submission half way", interrupted, kills)
}
