package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/store/storetest"
	"github.com/skjold-exchange/skjold/taxii"
)

const postgresVariable = "SKJOLD_TEST_POSTGRES_URL"

// postgresURL is the server for tests. Without one the test is skipped, or fails where it is required.
func postgresURL(t *testing.T) string {
	t.Helper()
	if u := os.Getenv(postgresVariable); u != "" {
		return u
	}
	if slices.Contains(strings.Split(os.Getenv("SKJOLD_TEST_REQUIRE"), ","), "postgres") {
		t.Fatalf("SKJOLD_TEST_REQUIRE names postgres, but %s is not set", postgresVariable)
	}
	t.Skipf("%s is not set: it names a PostgreSQL database, such as postgres://user:password@127.0.0.1:5432/skjold, in which each test makes and removes a schema", postgresVariable)
	return ""
}

var schemas atomic.Int64

// newSchema makes a schema for the test and returns a URL that uses it.
func newSchema(t *testing.T) string {
	t.Helper()
	base := postgresURL(t)
	name := fmt.Sprintf("skjold_test_%s_%d", uuid.NewString()[:8], schemas.Add(1))
	onServer(t, base, `CREATE SCHEMA `+name)
	t.Cleanup(func() { onServer(t, base, `DROP SCHEMA `+name+` CASCADE`) })
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// onServer runs a statement on a connection of its own; it is called after the test's context has ended too.
func onServer(t *testing.T, base, sql string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	c, err := pgx.Connect(ctx, base)
	if err != nil {
		t.Fatalf("%s: %v", postgresVariable, err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, sql); err != nil {
		t.Error(err)
	}
}

func TestPostgreSQL(t *testing.T) {
	postgresURL(t)
	storetest.Run(t, func(t *testing.T) *storetest.Fixture {
		return fixture(t, store.Options{URL: newSchema(t)})
	})
}

func TestPostgreSQLUnavailable(t *testing.T) {
	_, err := store.Open(t.Context(), store.Options{URL: "postgres://nobody:secret@127.0.0.1:1/none"})
	if !errors.Is(err, taxii.ErrUnavailable) || strings.Contains(err.Error(), "secret") {
		t.Errorf("Open: %v, want ErrUnavailable without the password", err)
	}
	if _, err := store.Open(t.Context(), store.Options{URL: "postgres://user:secret@host:port/"}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Open of a wrong URL: %v, want an error without the password", err)
	}
}
