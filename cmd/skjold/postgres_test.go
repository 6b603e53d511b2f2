package main

import (
	"context"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/skjold-exchange/skjold/store/storetest"
)

// postgresVariable names the PostgreSQL server for tests.
const postgresVariable = "SKJOLD_TEST_POSTGRES_URL"

// cmdNewSchema sets a variable to the address of an empty PostgreSQL schema, which is removed after the script.
func cmdNewSchema(ts *testscript.TestScript, _ bool, args []string) {
	address, remove, err := storetest.NewSchema(context.Background(), os.Getenv(postgresVariable))
	ts.Check(err)
	ts.Defer(func() { ts.Check(remove()) })
	ts.Setenv(args[0], address)
}
