package store

import (
	"errors"
	"fmt"

	"github.com/skjold-exchange/skjold/taxii"
)

var (
	// ErrExists: a collection title or alias, a client name or a peer is taken.
	ErrExists = errors.New("already exists")
	// ErrInUse: a collection can't be removed while a subscription writes into it.
	ErrInUse = errors.New("in use")
	// ErrInvalid: a name, title, alias or level that the store does not admit; the text says what is allowed.
	ErrInvalid = errors.New("not valid")
	// ErrNewerVersion: the data directory was written by a newer skjold.
	ErrNewerVersion = errors.New("this data directory was written by a newer skjold; use that version or a later one")
	// ErrDamaged: the file is not a skjold database, or its content is damaged.
	ErrDamaged = errors.New("the database can't be read")
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("the store is closed")
)

// errStop ends a query early; the engine's Query returns nil for it.
var errStop = errors.New("stop")

// errInterrupted: a statement was given up because its caller's context ended.
var errInterrupted = errors.New("interrupted")

func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", taxii.ErrUnavailable, what, err)
}

func notFound(what, name string) error {
	return fmt.Errorf("%s %q: %w", what, name, taxii.ErrNotFound)
}

func invalid(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, a...))
}
