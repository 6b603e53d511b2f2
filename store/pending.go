package store

import (
	"context"
	"errors"
	"fmt"
)

// Migration is a step of the schema.
type Migration struct {
	Number int
	Name   string
}

// Pending tells which version the schema of a database has, 0 for one that is empty, and which steps Open would take; it
// changes nothing. In Options.Dir there must be a database. The errors are those of Open.
func Pending(ctx context.Context, o Options) (version int, steps []Migration, err error) {
	db, err := openDatabase(ctx, o.Dir, o.URL)
	if err != nil {
		return 0, nil, err
	}
	err = db.Read(ctx, func(c conn) error {
		exists, err := number(c, db.hasSchema)
		if err == nil && exists > 0 {
			version, err = schemaVersion(c)
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return 0, nil, err
	}
	all, err := migrations()
	if err != nil {
		return 0, nil, err
	}
	if version > len(all) {
		return version, nil, fmt.Errorf("%w (its schema is version %d, this program knows %d)", ErrNewerVersion, version, len(all))
	}
	for _, m := range all[version:] {
		steps = append(steps, Migration{Number: m.number, Name: m.name})
	}
	return version, steps, nil
}
