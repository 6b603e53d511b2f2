package store

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// Seen is what the node observed of an account's requests.
type Seen struct {
	LastSeen      time.Time // last authenticated request; zero for never
	LastPull      time.Time // last successful read of a collection; zero for never
	ObjectsServed int64
	UserAgent     string
	LastError     string // of the last request, "" if it succeeded
	// Position is how far the account has read each collection, by collection id.
	Position map[string]taxii.DateAdded
}

// account is a caller's row, with what the other tables hold about it.
type account struct {
	number  int64
	name    string
	created time.Time
	seen    Seen
	rights  map[string]taxii.Rights
	maxTLP  map[string]stix.TLP
}

// The rights of every account, and those of one. They are two statements, so that a request is not answered by passing
// over the rights of all the others.
const (
	allRights = `SELECT a.account, c.id, a.can_read, a.can_write, a.max_tlp FROM access a JOIN collection c ON c.number = a.collection`
	oneRights = allRights + ` WHERE a.account = $1`
)

// allow adds the rights of a row of allRights or oneRights.
func (a *account) allow(r row) {
	if a.rights == nil {
		a.rights, a.maxTLP = make(map[string]taxii.Rights), make(map[string]stix.TLP)
	}
	a.rights[r.Text(1)] = taxii.Rights{Read: r.Int(2) != 0, Write: r.Int(3) != 0}
	if level := stix.TLP(r.Int(4)); level != stix.TLPUnmarked {
		a.maxTLP[r.Text(1)] = level
	}
}

// readRights reads what an account may do, which is all that a request needs of it.
func (a *account) readRights(c conn) error {
	return c.Query(oneRights, []any{a.number}, func(r row) error { a.allow(r); return nil })
}

// accounts reads all accounts of a kind in order of name, with everything about them, for the operator.
func accounts(c conn, kind taxii.PrincipalKind) ([]*account, error) {
	var list []*account
	byNumber := make(map[int64]*account)
	err := c.Query(`SELECT number, name, created, last_seen, last_pull, objects_served, user_agent, last_error
		FROM account WHERE kind = $1 ORDER BY name`, []any{string(kind)}, func(r row) error {
		a := &account{number: r.Int(0), name: r.Text(1), created: timeOf(r.Int(2)), seen: Seen{LastSeen: timeOf(r.Int(3)),
			LastPull: timeOf(r.Int(4)), ObjectsServed: r.Int(5), UserAgent: r.Text(6), LastError: r.Text(7)}}
		list = append(list, a)
		byNumber[a.number] = a
		return nil
	})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	err = c.Query(allRights, nil, func(r row) error {
		if a := byNumber[r.Int(0)]; a != nil {
			a.allow(r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = c.Query(`SELECT p.account, c.id, p.date_added FROM progress p JOIN collection c ON c.number = p.collection`, nil, func(r row) error {
		a := byNumber[r.Int(0)]
		if a == nil {
			return nil
		}
		if a.seen.Position == nil {
			a.seen.Position = make(map[string]taxii.DateAdded)
		}
		a.seen.Position[r.Text(1)] = taxii.DateAdded(r.Int(2))
		return nil
	})
	return list, err
}

// removeAccount removes an account with its keys, rights and statuses: an account that is added later under the same
// name is another one, and does not read what its predecessor submitted.
func removeAccount(c conn, number int64, name string) error {
	if err := removeStatuses(c, name); err != nil {
		return err
	}
	_, err := c.Exec(`DELETE FROM account WHERE number = $1`, number)
	return err
}

// accountNumber finds an account; 0 if there is none.
func accountNumber(c conn, kind taxii.PrincipalKind, name string) (int64, error) {
	return number(c, `SELECT number FROM account WHERE kind = $1 AND name = $2`, string(kind), name)
}

// addAccount makes an account; ErrExists.
func addAccount(c conn, kind taxii.PrincipalKind, name string, created time.Time) (int64, error) {
	n, err := accountNumber(c, kind, name)
	if err != nil {
		return 0, err
	}
	if n != 0 {
		return 0, fmt.Errorf("%s %q: %w", kind, name, ErrExists)
	}
	if n, err = take(c, "account", 1); err != nil {
		return 0, err
	}
	_, err = c.Exec(`INSERT INTO account (number, kind, name, created, last_seen, last_pull, objects_served, user_agent, last_error)
		VALUES ($1, $2, $3, $4, 0, 0, 0, '', '')`, n, string(kind), name, micros(created))
	return n, err
}

// setRights replaces an account's rights; taxii.ErrNotFound if a collection does not exist.
func setRights(c conn, account int64, rights map[string]taxii.Rights) error {
	if _, err := c.Exec(`DELETE FROM access WHERE account = $1`, account); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(rights)) {
		if err := setRight(c, account, id, rights[id], stix.TLPUnmarked); err != nil {
			return err
		}
	}
	return nil
}

// setRight sets an account's rights on one collection; no rights at all remove the entry.
func setRight(c conn, account int64, collection string, r taxii.Rights, maxTLP stix.TLP) error {
	col, err := collectionByID(c, collection)
	if err != nil {
		return err
	}
	if !r.Read && !r.Write {
		_, err := c.Exec(`DELETE FROM access WHERE account = $1 AND collection = $2`, account, col.number)
		return err
	}
	_, err = c.Exec(`INSERT INTO access (account, collection, can_read, can_write, max_tlp) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, collection) DO UPDATE SET can_read = excluded.can_read, can_write = excluded.can_write, max_tlp = excluded.max_tlp`,
		account, col.number, r.Read, r.Write, int(maxTLP))
	return err
}
