package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// NewSchema makes an empty schema in the PostgreSQL database that base names, and returns the address of a store in it and
// what removes it again.
func NewSchema(ctx context.Context, base string) (address string, remove func() error, err error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", nil, err
	}
	name := "skjold_test_" + strings.ToLower(rand.Text()[:10])
	if err := onServer(ctx, base, `CREATE SCHEMA `+name); err != nil {
		return "", nil, err
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String(), func() error {
		return onServer(context.WithoutCancel(ctx), base, `DROP SCHEMA `+name+` CASCADE`)
	}, nil
}

func onServer(ctx context.Context, base, sql string) error {
	c, err := pgx.Connect(ctx, base)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, sql)
	return errors.Join(err, c.Close(ctx))
}
