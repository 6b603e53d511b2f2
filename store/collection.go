package store

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// maxTitle is the length of a collection's title in characters.
const maxTitle = 200

var aliasPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// NewCollection describes a collection to be added.
type NewCollection struct {
	ID          string // UUIDv4; "" for a new one
	Title       string // 1 to 200 characters without dots; unique, whatever the case
	Description string
	Alias       string // "" for none; lower-case letters, digits, _ and -, 63 at most, not a UUID; unique
	// DefaultTLP is how objects without a TLP marking are handled; stix.TLPUnmarked: such objects are refused.
	DefaultTLP stix.TLP
	// Lenient: see taxii.Collection.
	Lenient bool
}

func (n NewCollection) check() error {
	if err := checkTitle(n.Title); err != nil {
		return err
	}
	if n.DefaultTLP > stix.TLPRed {
		return invalid("%v is not a TLP level", n.DefaultTLP)
	}
	if n.ID != "" {
		if id, err := uuid.Parse(n.ID); err != nil || id.Version() != 4 || id.String() != n.ID {
			return invalid("a collection's id is a lower-case UUID of version 4, not %q", n.ID)
		}
	}
	if n.Alias == "" {
		return nil
	}
	if !aliasPattern.MatchString(n.Alias) {
		return invalid("a collection's alias has 1 to 63 lower-case letters, digits, _ and -, and begins with a letter or digit: not %q", n.Alias)
	}
	if _, err := uuid.Parse(n.Alias); err == nil {
		return invalid("a collection's alias is not a UUID, so that it is never mistaken for an id")
	}
	return nil
}

func checkTitle(title string) error {
	switch length := utf8.RuneCountInString(title); {
	case !utf8.ValidString(title) || strings.ContainsFunc(title, unicode.IsControl):
		return invalid("a collection's title is plain text without control characters")
	case strings.TrimSpace(title) != title:
		return invalid("a collection's title does not begin or end with a space")
	case length < 1 || length > maxTitle:
		return invalid("a collection's title has 1 to %d characters, not %d", maxTitle, length)
	case strings.Contains(title, "."):
		return invalid("a collection's title has no dots: clients select collections by API root, a dot and the title")
	}
	return nil
}

// fold is the form of a title in which titles are unique.
func fold(title string) string { return strings.ToLower(title) }

// AddCollection adds an empty collection. The errors are ErrInvalid and ErrExists (the id, the title or the alias is taken).
func (s *Store) AddCollection(ctx context.Context, n NewCollection) (taxii.Collection, error) {
	if err := n.check(); err != nil {
		return taxii.Collection{}, err
	}
	if n.ID == "" {
		n.ID = uuid.NewString()
	}
	epoch := uuid.NewString()
	defer s.changed(n.ID)
	var added taxii.Collection
	err := s.write(ctx, func(c conn) error {
		taken, err := number(c, `SELECT COUNT(*) FROM collection WHERE id = $1 OR title_folded = $2 OR (alias <> '' AND alias = $3)`,
			n.ID, fold(n.Title), n.Alias)
		if err != nil {
			return err
		}
		if taken > 0 {
			return fmt.Errorf("a collection with the id, title %q or alias %q: %w", n.Title, n.Alias, ErrExists)
		}
		nr, err := take(c, "collection", 1)
		if err != nil {
			return err
		}
		now := s.now().UnixMicro()
		added = taxii.Collection{ID: n.ID, Title: n.Title, Description: n.Description, Alias: n.Alias, DefaultTLP: n.DefaultTLP, Lenient: n.Lenient,
			Created: taxii.DateAdded(now), Last: taxii.DateAdded(now), Epoch: epoch}
		_, err = c.Exec(`INSERT INTO collection (number, id, title, title_folded, description, alias, default_tlp, created, last_added, epoch, objects, lenient)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, 0, $10)`,
			nr, n.ID, n.Title, fold(n.Title), n.Description, n.Alias, int(n.DefaultTLP), now, epoch, n.Lenient)
		return err
	})
	return added, err
}

// collection is a collection's row.
type collection struct {
	taxii.Collection
	number int64
}

const collectionColumns = `number, id, title, description, alias, default_tlp, created, last_added, epoch, objects, lenient, revision`

func scanCollection(r row) collection {
	return collection{
		number: r.Int(0),
		Collection: taxii.Collection{
			ID: r.Text(1), Title: r.Text(2), Description: r.Text(3), Alias: r.Text(4), DefaultTLP: stix.TLP(r.Int(5)),
			Created: taxii.DateAdded(r.Int(6)), Last: taxii.DateAdded(r.Int(7)), Epoch: r.Text(8), Objects: r.Int(9),
			Lenient: r.Int(10) != 0, Revision: r.Int(11),
		},
	}
}

// collectionByID reads a collection's row; taxii.ErrNotFound.
func collectionByID(c conn, id string) (collection, error) {
	return findCollection(c, id, `SELECT `+collectionColumns+` FROM collection WHERE id = $1`, id)
}

// findCollection runs a query for one collection; ref names it in the error.
func findCollection(c conn, ref, sql string, args ...any) (collection, error) {
	var col collection
	found, err := one(c, sql, args, func(r row) error { col = scanCollection(r); return nil })
	if err == nil && !found {
		err = notFound("collection", ref)
	}
	return col, err
}

// Collections returns all collections in the order of their creation.
func (s *Store) Collections(ctx context.Context) ([]taxii.Collection, error) {
	var list []taxii.Collection
	err := s.read(ctx, func(c conn) error {
		list = nil
		return c.Query(`SELECT `+collectionColumns+` FROM collection ORDER BY number`, nil, func(r row) error {
			list = append(list, scanCollection(r).Collection)
			return nil
		})
	})
	return list, err
}

// Collection finds a collection by id or alias; taxii.ErrNotFound.
func (s *Store) Collection(ctx context.Context, idOrAlias string) (taxii.Collection, error) {
	var col collection
	err := s.read(ctx, func(c conn) (err error) {
		col, err = findCollection(c, idOrAlias, `SELECT `+collectionColumns+` FROM collection WHERE id = $1 OR (alias <> '' AND alias = $1)`, idOrAlias)
		return err
	})
	return col.Collection, err
}

// FindCollection finds a collection by id, alias or title (whatever its case), in this order; taxii.ErrNotFound.
func (s *Store) FindCollection(ctx context.Context, ref string) (taxii.Collection, error) {
	var col collection
	err := s.read(ctx, func(c conn) (err error) {
		col, err = findCollection(c, ref, `SELECT `+collectionColumns+` FROM collection
			WHERE id = $1 OR (alias <> '' AND alias = $1) OR title_folded = $2
			ORDER BY CASE WHEN id = $1 THEN 0 WHEN alias = $1 THEN 1 ELSE 2 END LIMIT 1`, ref, fold(ref))
		return err
	})
	return col.Collection, err
}

// CollectionChange says what is to change of a collection; what is nil stays.
type CollectionChange struct {
	Title       *string // as in NewCollection
	Description *string
	Lenient     *bool // for what is added from then on; what is held stays
	// DefaultTLP is how objects without a TLP marking are handled from then on, those that are held included;
	// stix.TLPUnmarked: further ones are refused, and those that are held are served to nobody.
	DefaultTLP *stix.TLP
}

// ChangeCollection changes a collection and returns it as it is then. The errors are taxii.ErrNotFound, ErrInvalid and
// ErrExists (another collection has the title).
func (s *Store) ChangeCollection(ctx context.Context, id string, change CollectionChange) (taxii.Collection, error) {
	if change.Title != nil {
		if err := checkTitle(*change.Title); err != nil {
			return taxii.Collection{}, err
		}
	}
	if change.DefaultTLP != nil && *change.DefaultTLP > stix.TLPRed {
		return taxii.Collection{}, invalid("%v is not a TLP level", *change.DefaultTLP)
	}
	changed := []string{id}
	defer func() { s.changed(changed...) }()
	var col collection
	err := s.write(ctx, func(c conn) (err error) {
		if col, err = collectionByID(c, id); err != nil {
			return err
		}
		col.Title = valueOr(change.Title, col.Title)
		col.Description = valueOr(change.Description, col.Description)
		col.Lenient = valueOr(change.Lenient, col.Lenient)
		col.DefaultTLP = valueOr(change.DefaultTLP, col.DefaultTLP)
		taken, err := number(c, `SELECT COUNT(*) FROM collection WHERE title_folded = $1 AND number <> $2`, fold(col.Title), col.number)
		if err != nil {
			return err
		}
		if taken > 0 {
			return fmt.Errorf("a collection with the title %q: %w", col.Title, ErrExists)
		}
		if _, err = c.Exec(`UPDATE collection SET title = $2, title_folded = $3, description = $4, lenient = $5, default_tlp = $6 WHERE number = $1`,
			col.number, col.Title, fold(col.Title), col.Description, col.Lenient, int(col.DefaultTLP)); err != nil || change.DefaultTLP == nil {
			return err
		}
		t := tightener{conn: c, touched: make(map[int64]*touches)}
		if err := t.tightenDefault(col.number, col.DefaultTLP); err != nil {
			return err
		}
		changed, err = t.record(0)
		changed = append(changed, id)
		return err
	})
	if err != nil {
		return taxii.Collection{}, err
	}
	return col.Collection, nil
}

func valueOr[T any](value *T, fallback T) T {
	if value == nil {
		return fallback
	}
	return *value
}

// RemoveCollection removes a collection with its entries, tombstones and the rights on it. The errors are
// taxii.ErrNotFound and ErrInUse (a subscription writes into it).
func (s *Store) RemoveCollection(ctx context.Context, id string) error {
	defer s.changed(id)
	return s.write(ctx, func(c conn) error {
		col, err := collectionByID(c, id)
		if err != nil {
			return err
		}
		n, err := number(c, `SELECT COUNT(*) FROM subscription WHERE collection = $1`, col.number)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("collection %q has %d subscriptions that write into it; remove them first: %w", col.Title, n, ErrInUse)
		}
		for _, sql := range []string{
			`DELETE FROM observable WHERE collection = $1`,
			`DELETE FROM entry WHERE collection = $1`,
			`DELETE FROM joined WHERE collection = $1`,
			`DELETE FROM facet WHERE collection = $1`,
			`DELETE FROM tombstone WHERE collection = $1`,
			`DELETE FROM expiry WHERE collection = $1`,
			`DELETE FROM known_marking WHERE collection = $1`,
			`DELETE FROM revision WHERE collection = $1`,
			`DELETE FROM access WHERE collection = $1`,
			`DELETE FROM progress WHERE collection = $1`,
			`DELETE FROM collection WHERE number = $1`,
		} {
			if _, err := c.Exec(sql, col.number); err != nil {
				return err
			}
		}
		return nil
	})
}

// LevelCount is the number of entries of a collection that are handled alike.
type LevelCount struct {
	Level   stix.TLP // as they are handled, the collection's default applied
	Marked  bool     // by their own marking rather than the default
	Unknown bool     // because of a marking that the node does not understand
	Entries int64
}

// LevelCounts counts the entries of a collection by the level they are handled as, the least restricted first;
// taxii.ErrNotFound.
func (s *Store) LevelCounts(ctx context.Context, id string) ([]LevelCount, error) {
	var list []LevelCount
	err := s.read(ctx, func(c conn) error {
		col, err := collectionByID(c, id)
		if err != nil {
			return err
		}
		facets, err := s.facets(c, col.number, 0)
		if err != nil {
			return err
		}
		counts := make(map[LevelCount]int64)
		for _, f := range facets {
			counts[LevelCount{Level: f.set.Level(col.DefaultTLP, f.unknown), Marked: f.set.TLP != stix.TLPUnmarked, Unknown: f.unknown}] += f.entries
		}
		list = sortedCounts(counts)
		return nil
	})
	return list, err
}
