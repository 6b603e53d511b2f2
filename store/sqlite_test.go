package store_test

import (
	"os"
	"testing"

	"github.com/skjold-exchange/skjold/stix/pattern"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/store/storetest"
)

// fixture opens a store for the suite, with the suite's clock.
func fixture(t *testing.T, options store.Options) *storetest.Fixture {
	t.Helper()
	clock := storetest.NewClock()
	options.Now = clock.Now
	options.PatternValues = pattern.Values
	options.Quarantine = store.QuarantineBounds{Rows: storetest.QuarantineRows, Bytes: storetest.QuarantineBytes}
	options.Submissions = storetest.Submissions
	f := &storetest.Fixture{Clock: clock}
	open := func(t *testing.T) {
		t.Helper()
		s, err := store.Open(t.Context(), options)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		f.Store, f.Node = s, s
	}
	open(t)
	f.Reopen = func(t *testing.T) {
		t.Helper()
		if err := f.Node.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		open(t)
	}
	t.Cleanup(func() {
		if err := f.Node.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return f
}

func TestSQLite(t *testing.T) {
	if raceDetector && os.Getenv(postgresVariable) != "" {
		t.Skip("the suite runs on PostgreSQL under the race detector, which makes the pure Go engine ten times as slow; what runs concurrently on SQLite has tests of its own")
	}
	storetest.Run(t, func(t *testing.T) *storetest.Fixture {
		return fixture(t, store.Options{Dir: t.TempDir()})
	})
}

// sequential marks a test that does one thing after the other. The race detector finds nothing in it that it does not find
// elsewhere, and makes it many times as long.
func sequential(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("it does one thing after the other: it is left out under the race detector")
	}
}
