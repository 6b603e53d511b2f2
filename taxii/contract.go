package taxii

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/skjold-exchange/skjold/stix"
)

// Errors that the contracts return; everything else is an internal error.
var (
	// ErrNotFound: there is no such collection, object or status, or the caller may not know of it.
	ErrNotFound = errors.New("not found")
	// ErrUnauthenticated: no credentials, or wrong ones.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrUnavailable: the node can't do it now (the disk is full, the database does not answer); trying again may help.
	ErrUnavailable = errors.New("unavailable")
	// ErrBacklog: the account has as many unfinished submissions as it may have; trying again when one is finished helps.
	ErrBacklog = errors.New("too many submissions are pending")
	// ErrKeyReused: the account has sent other content to the collection under this idempotency key.
	ErrKeyReused = errors.New("the idempotency key is that of another submission")
)

// DateAdded is the time at which an object version became part of a collection, in microseconds since 1970 UTC. Within a
// collection it is strictly increasing, unique and never reused; objects become visible in its order.
type DateAdded int64

// String is the TAXII timestamp (§2): RFC 3339, UTC, Z, exactly six fraction digits.
func (d DateAdded) String() string {
	t := time.UnixMicro(int64(d)).UTC()
	year, month, day := t.Date()
	if !d.writable() {
		return t.Format(dateAddedLayout)
	}
	hour, minute, second := t.Clock()
	b := [len(dateAddedLayout)]byte{4: '-', 7: '-', 10: 'T', 13: ':', 16: ':', 19: '.', 26: 'Z'}
	digits(b[0:4], year)
	digits(b[5:7], int(month))
	digits(b[8:10], day)
	digits(b[11:13], hour)
	digits(b[14:16], minute)
	digits(b[17:19], second)
	digits(b[20:26], t.Nanosecond()/1000)
	return string(b[:])
}

// Collection describes a collection of this node, the same for every caller.
type Collection struct {
	ID          string // UUIDv4
	Title       string // unique, without dots
	Description string
	Alias       string // "" for none; unique
	// DefaultTLP is how objects without a TLP marking are handled; TLPUnmarked: such objects are refused.
	DefaultTLP stix.TLP
	// Lenient: what is added here is stored although it breaks rules of STIX 2.1, as long as an exchange can handle it
	// (stix.Report.Acceptable), and the violations are recorded beside it. Otherwise such objects are refused.
	Lenient bool
	// Created precedes the date_added of every object of the collection.
	Created DateAdded
	// Last is the date_added of the newest entry ever appended, or Created.
	Last DateAdded
	// Epoch identifies this log of the collection; a restore from backup begins another.
	Epoch string
	// Revision counts the changes of entries that the log held already.
	Revision int64
	// Objects is the number of entries (object versions) held.
	Objects int64
}

// Rights of one caller on one collection.
type Rights struct {
	Read  bool `json:"read"`
	Write bool `json:"write"`
}

// PrincipalKind tells accounts of this node from federated nodes.
type PrincipalKind string

// The kinds.
const (
	ClientAccount PrincipalKind = "client" // a SOC tool or an analyst of this node
	PeerNode      PrincipalKind = "peer"   // a node of the federation
)

// Principal is who calls, with the rights per collection as they are at this request. Nobody changes it once the
// Authenticator has returned it: requests share it.
type Principal struct {
	Kind  PrincipalKind
	Name  string // the client's name, or the peer's entity id
	Admin bool   // reads and writes every collection
	// Rights by collection id; a collection that is not here does not exist for the caller.
	Rights map[string]Rights
	// MaxTLP bounds what a peer may be served, by collection id; nothing is served to a peer without an entry.
	MaxTLP map[string]stix.TLP
	// Rates are bounds of the caller's own on how much it may ask for; the zero Rates leave it to the server.
	Rates Rates
	// EmptyList: empty answers carry "objects": [] for this client, whose TAXII library needs it.
	EmptyList bool
	// Identity, where it is not empty, is the created_by_ref that what the caller publishes must have (Submission.Identity).
	Identity stix.Identifier
	// CheckBody, where set, must accept the SHA-256 of the request's body before the request has any effect: the
	// caller's credentials cover the body (federation request tokens).
	CheckBody func(sum [32]byte) error
}

// ChallengeError is ErrUnauthenticated with an error code for the caller: the Bearer challenge of the 401 names it (RFC
// 6750 §3).
type ChallengeError struct {
	Code string // letters, digits and _ only
	Err  error  // the reason, for the log
}

// Error returns the reason with the code in front.
func (e *ChallengeError) Error() string { return e.Code + ": " + e.Err.Error() }

// Unwrap returns ErrUnauthenticated and the reason.
func (e *ChallengeError) Unwrap() []error { return []error{ErrUnauthenticated, e.Err} }

// RightsOn returns the rights on a collection.
func (p *Principal) RightsOn(collection string) Rights {
	if p.Admin {
		return Rights{Read: true, Write: true}
	}
	return p.Rights[collection]
}

// Authenticator finds out who sent a request, from its headers alone: the body has not been read and must not be.
// It runs concurrently. The error is ErrUnauthenticated (wrapped, with the reason for the log), or an internal one.
type Authenticator interface {
	Authenticate(r *http.Request) (*Principal, error)
}

// Visibility is the sharing policy as the server sees it: may this caller be served objects of this marking set?
// unknown tells that the set has a marking whose definition the node does not hold or understand. Pure and fast: it is
// called inside the read transaction, once per marking set.
type Visibility interface {
	Visible(p *Principal, c Collection, m stix.MarkingSet, unknown bool) bool
}

// VersionMatch is match[version] (§3.4.1): the entries that are first, last, any, or exactly one of some instants.
type VersionMatch struct {
	All, First, Last bool
	Exact            []stix.Timestamp // compared as instants
}

// Query asks for entries of one collection in ascending order of date_added.
type Query struct {
	Collection string // id
	// After is exclusive: only entries with a later date_added.
	After DateAdded
	// Limit is the most entries to return, at least 1.
	Limit int
	// IDs, Types and SpecVersions restrict to the listed values; empty means any. Empty SpecVersions means the newest
	// specification version held of each object.
	IDs          []stix.Identifier
	Types        []string
	SpecVersions []string
	Version      VersionMatch
	// Values, TLPs and Conditions restrict the entries that are left further; empty means no restriction. Values are
	// observable values in canonical form (stix.CanonicalValue), of which the object is or names one
	// (stix.ObservableValues); TLPs are levels, of which the object is marked with one, the default of the collection not
	// counted; of Conditions all hold.
	Values     []string
	TLPs       []stix.TLP
	Conditions []stix.Condition
	// Visible decides per marking set, inside the same snapshot as the entries; nil sees everything.
	Visible func(m stix.MarkingSet, unknown bool) bool
	// Bytes: fill Entry.Raw.
	Bytes bool
	// MaxBytes, where positive, ends the page (with More) before the entries' bytes exceed it; one entry is always given.
	// A store that does not honour it costs memory, not correctness.
	MaxBytes int64
}

// Entry is one object version of a collection.
type Entry struct {
	DateAdded   DateAdded
	ID          stix.Identifier
	Version     string // modified, else created, as written in the object; else when the node first saw it
	SpecVersion string
	Raw         []byte // the object's bytes as received; only with Query.Bytes
	// Level is what the object is handled as: the collection's default applied, TLPRed where a marking is not understood.
	// A store that does not know leaves TLPUnmarked, which counts as TLPRed.
	Level stix.TLP
}

// Page is the answer to a Query.
type Page struct {
	Collection Collection // as of the same snapshot
	Entries    []Entry
	// More: there is at least one entry after the last. With Query.Values or Query.Conditions, where entries are looked
	// through, it may turn out that there is none; but a page with More is never empty.
	More bool
	// Until, where later than the last entry, is a position before which nothing further is wanted: one may go on from
	// there as well as from the last entry.
	Until DateAdded
}

// AlreadyHeld is the message of a success that changed nothing: the collection already held this version of the object.
const AlreadyHeld = "already held"

// Item is one object of a submission: to be stored, or already refused.
type Item struct {
	Object *stix.Object // nil if what came is not even an object with an id
	// ID and Version name the item in the status resource when Object is nil.
	ID, Version string
	// Refused is why the object is not to be stored, in words an analyst can act on; "" to store it.
	Refused string
	// Violations are the rules of STIX 2.1 that an object breaks which is stored all the same; nil for one that breaks
	// none. The store records them beside the object (Recordable), and the status resource tells them (StoredMessage).
	Violations []stix.Violation
}

// Submission is what one POST (or one publish from a file) adds to a collection.
type Submission struct {
	Collection string // id
	Account    string // who submits; the only reader of the status
	Received   time.Time
	// Identity, where it is not empty, is the only object creator whose objects and versions are taken (STIX 2.1 §3.6).
	// Cyber-observables and marking definitions without created_by_ref, the object of that identity itself, and what is
	// held already and comes unchanged are taken all the same.
	Identity stix.Identifier
	Items    []Item
	// Source, where it is not empty, is the peer that sends this: the objects are kept as that peer's, not as what was
	// published at this node, and what was deleted here is not brought back. Such a submission is never Deferred.
	Source string
	// Visible decides per marking set what the caller may see, as in Query; nil: everything. That an object is held which
	// the caller may not see is not told: submitting its content again looks as if it had been stored.
	Visible func(m stix.MarkingSet, unknown bool) bool
	// Deferred: the store may answer when the items are durable, and decide them afterwards.
	Deferred bool
	// Key, where set, names the submission, so that it can be repeated without effect.
	Key *IdempotencyKey
}

// IdempotencyKey is the name that a client gave to a submission. It is the account's own, per collection, for KeyLife.
type IdempotencyKey struct {
	Name string   // at most MaxKeyLength visible ASCII characters
	Body [32]byte // SHA-256 of the content, which must be the same when the name is
}

// KeyLife is how long an idempotency key stands for its submission.
const KeyLife = 24 * time.Hour

// Deletion names what a DELETE (§5.7) removes. What the caller does not see is never removed, and a version that does not
// exist removes nothing. Unlike a query, a deletion without any match means everything of the object that the caller sees,
// in every version and specification version: whoever deletes an object does not leave older copies of it to be served.
type Deletion struct {
	Collection string
	ID         stix.Identifier
	// Version: the zero VersionMatch means every version. First and last are those among the versions that the caller
	// sees and that are of SpecVersions.
	Version VersionMatch
	// SpecVersions restrict to the listed specification versions; empty means any, not the newest only.
	SpecVersions []string
	Visible      func(m stix.MarkingSet, unknown bool) bool
}

// Served tells what one answered request gave to a client, for the operator's view of its clients.
type Served struct {
	Kind       PrincipalKind
	Name       string
	Collection string // id, "" for none
	At         time.Time
	Pull       bool // the collection's content was read (§5.3, §5.4, §5.6, §5.8), however little there was
	Objects    int
	Last       DateAdded // the position that the client has reached; 0 for none
	UserAgent  string
	Error      string // "" for a success
}

// Store keeps collections. Every method may run concurrently with every other, in this process and in others. Methods
// return ErrNotFound, ErrUnavailable or an internal error; page queries never block on writers.
type Store interface {
	// Collections returns all collections in a stable order.
	Collections(ctx context.Context) ([]Collection, error)
	// Collection finds one by id or alias; ErrNotFound.
	Collection(ctx context.Context, idOrAlias string) (Collection, error)
	// Entries answers a query from one snapshot: no entry that becomes visible later has a date_added at or before the
	// last one returned. ErrNotFound if there is no such collection. ErrUnavailable also where the wanted entries are too
	// rare among the others to be found in the time of one request; the same query again goes on where this one ended.
	Entries(ctx context.Context, q Query) (Page, error)
	// Add stores a submission and its status in one transaction. On return, what the status lists as a success is
	// durable and visible. The entries' order is the items' order, except that marking definitions come first, so that
	// no entry precedes the definition of its own marking. An object that is already held (same id and version, same
	// content) is a success that changes nothing, with the message AlreadyHeld where Submission.Visible lets the caller
	// know; one with other content under the same id and version is a failure. So is a version that §3.6 of STIX 2.1 does
	// not allow beside what this node published of the object: with another created or created_by_ref, or later than the
	// version that revokes it. The last version of an object is the earliest one that revokes it, or else the latest.
	// One with violations is a success with their StoredMessage, and the violations are kept beside it until it is deleted.
	//
	// A Deferred submission may be answered with a status that is pending, when its items and the status are durable. The
	// store decides the pending ones later, in the order above, each once, also after a crash; at every moment what the
	// status lists is what is stored. ErrBacklog, or ErrUnavailable, if too much is pending already.
	//
	// A submission with a Key that the account has used for the collection within KeyLife changes nothing: its status is
	// that of the first one, as it is now, or ErrKeyReused if the content was another. Of several at once one is worked on,
	// and the others wait for it and get its status. A store may forget the oldest of very many keys.
	Add(ctx context.Context, s Submission) (Status, error)
	// Delete removes entries and leaves tombstones, so that replication does not bring them back. It returns how many;
	// ErrNotFound if the caller sees no entry of that object at all.
	Delete(ctx context.Context, d Deletion) (int, error)
	// Status returns the status resource of a submission to the account that made it, for at least 24 hours; ErrNotFound.
	Status(ctx context.Context, id, account string) (Status, error)
	// Observe notes what a client was served. It never blocks on the disk and loses at most a few seconds on a crash.
	Observe(s Served)
}
