package federation

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

const (
	// KeyNotice is how long a new key is published before it signs: by then everybody has a configuration that names it.
	KeyNotice = 48 * time.Hour
	// requestKeyLife is how long a request key signs.
	requestKeyLife = 90 * 24 * time.Hour
	// keyAfterlife is how long a key stays published after its last use: longer than anything that it has signed holds.
	keyAfterlife = 48 * time.Hour
	// keyFileTime is the form of the time in the name of a key file: federation-20260301t120000z.jwk signs from then on. It
	// is in lower case, as backups and some file systems want it.
	keyFileTime = "20060102t150405z"
)

// KeyUse is what a node's key is for.
type KeyUse string

// The uses.
const (
	FederationKey KeyUse = "federation"
	RequestKey    KeyUse = "request"
)

// RingKey is one generation of a node's keys.
type RingKey struct {
	*jose.Key
	File string
	// From is since when it signs. The first key's is the time of its file.
	From time.Time
	// until is when the next one begins; zero for the last.
	until time.Time
}

// KeyRing is a node's key directory: for each use the first key (federation.jwk, request.jwk), and those after it, named by
// the time from which they sign. So the file names alone tell which key signs at a time.
type KeyRing struct {
	dir  string
	keys map[KeyUse][]RingKey // oldest first
}

// OpenKeyRing reads a key directory. Files of other names are passed over, such as a vote key.
func OpenKeyRing(dir string) (*KeyRing, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the key directory: %w", err)
	}
	r := &KeyRing{dir: dir, keys: make(map[KeyUse][]RingKey)}
	seen := make(map[string]string)
	for _, e := range entries {
		use, from, ok := keyFileName(e.Name())
		if !ok {
			continue
		}
		k := RingKey{File: e.Name(), From: from}
		if k.Key, err = LoadKey(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
		if other := seen[k.ID()]; other != "" {
			return nil, fmt.Errorf("%s and %s in %s hold the same key; each purpose needs its own", other, e.Name(), dir)
		}
		seen[k.ID()] = e.Name()
		if from.IsZero() {
			info, err := e.Info()
			if err != nil {
				return nil, err
			}
			k.From = info.ModTime()
		}
		r.keys[use] = append(r.keys[use], k)
	}
	for use, file := range map[KeyUse]string{FederationKey: FederationKeyFile, RequestKey: RequestKeyFile} {
		if len(r.keys[use]) == 0 {
			return nil, fmt.Errorf("read the key file: %w", &fs.PathError{Op: "open", Path: filepath.Join(dir, file), Err: fs.ErrNotExist})
		}
		r.order(use)
	}
	return r, nil
}

// order sorts the keys of a use: the first file before all that have a time, whatever its own time says after a restore.
func (r *KeyRing) order(use KeyUse) {
	keys := r.keys[use]
	slices.SortFunc(keys, func(a, b RingKey) int {
		first := func(k RingKey) int { return strings.Count(k.File, "-") }
		return cmp.Or(cmp.Compare(first(a), first(b)), a.From.Compare(b.From))
	})
	for i := range keys[:len(keys)-1] {
		keys[i].until = keys[i+1].From
	}
}

// keyFileName reads the name of a key file.
func keyFileName(name string) (use KeyUse, from time.Time, ok bool) {
	stem, ok := strings.CutSuffix(name, ".jwk")
	if !ok {
		return "", from, false
	}
	kind, date, dated := strings.Cut(stem, "-")
	use = KeyUse(kind)
	if use != FederationKey && use != RequestKey {
		return "", from, false
	}
	if !dated {
		return use, from, true
	}
	from, err := time.Parse(keyFileTime, date)
	return use, from, err == nil
}

// Keys are those that sign at a time.
func (r *KeyRing) Keys(now time.Time) Keys {
	return Keys{Federation: r.current(FederationKey, now).Key, Request: r.current(RequestKey, now).Key, First: r.keys[FederationKey][0].ID()}
}

func (r *KeyRing) current(use KeyUse, now time.Time) RingKey {
	keys := r.keys[use]
	for i := len(keys) - 1; i > 0; i-- {
		if !now.Before(keys[i].From) {
			return keys[i]
		}
	}
	return keys[0]
}

// All are the keys of a use, the oldest first.
func (r *KeyRing) All(use KeyUse) []RingKey { return slices.Clone(r.keys[use]) }

// Others are the public keys that stand in the node's configuration at a time beside the one that signs: the next, and
// those whose signatures may still be on their way.
func (r *KeyRing) Others(use KeyUse, now time.Time) []jose.PublicKey {
	current := r.current(use, now)
	var list []jose.PublicKey
	for _, k := range r.keys[use] {
		if k.ID() != current.ID() && r.Stage(k, now) != RetiredKey {
			list = append(list, k.Public())
		}
	}
	return list
}

// KeyStage is where in its life a key is.
type KeyStage string

// The stages.
const (
	NextKey    KeyStage = "next"    // published, and not used yet
	CurrentKey KeyStage = "current" // signs
	FormerKey  KeyStage = "former"  // signs no more, and is published until nothing that it signed holds
	RetiredKey KeyStage = "retired"
)

// Stage tells where in its life a key of the ring is at a time.
func (r *KeyRing) Stage(k RingKey, now time.Time) KeyStage {
	switch {
	case k.until.IsZero() || now.Before(k.until):
		if now.Before(k.From) && !r.isFirst(k) {
			return NextKey
		}
		return CurrentKey
	case now.Before(k.until.Add(keyAfterlife)):
		return FormerKey
	}
	return RetiredKey
}

func (r *KeyRing) isFirst(k RingKey) bool {
	return k.ID() == r.keys[FederationKey][0].ID() || k.ID() == r.keys[RequestKey][0].ID()
}

// ErrKeyPending: a next key of the use is published already.
var ErrKeyPending = errors.New("a next key is published already")

// Rotate makes the next key of a use, which signs from a time on. ErrKeyPending if there is a next one already.
func (r *KeyRing) Rotate(use KeyUse, from, now time.Time) (RingKey, error) {
	if last := r.keys[use][len(r.keys[use])-1]; r.Stage(last, now) == NextKey {
		return RingKey{}, fmt.Errorf("%w: %s signs from %s on", ErrKeyPending, last.ID(), last.From.UTC().Format(time.RFC3339))
	}
	if len(r.keys[use])-len(r.retired(use, now)) >= jose.MaxKeys {
		return RingKey{}, fmt.Errorf("%d keys are published, and no more are possible; wait until the oldest is retired", jose.MaxKeys)
	}
	k := RingKey{File: fmt.Sprintf("%s-%s.jwk", use, from.UTC().Format(keyFileTime)), From: from.UTC().Truncate(time.Second)}
	var err error
	if k.Key, err = CreateKey(filepath.Join(r.dir, k.File)); err != nil {
		return RingKey{}, err
	}
	r.keys[use] = append(r.keys[use], k)
	r.order(use)
	return k, nil
}

// RotateRequestKey does what is due at a time: it makes the next request key, 48 hours before the current one is 90 days
// old, and removes the files of request keys that are retired. It tells whether anything changed.
func (r *KeyRing) RotateRequestKey(now time.Time) (changed bool, err error) {
	current := r.current(RequestKey, now)
	if r.RequestKeyDue(now) {
		from := current.From.Add(requestKeyLife)
		if earliest := now.Add(KeyNotice); from.Before(earliest) {
			from = earliest // the node was off
		}
		if _, err := r.Rotate(RequestKey, from, now); err != nil {
			return false, err
		}
		changed = true
	}
	for _, k := range r.retired(RequestKey, now) {
		if err := os.Remove(filepath.Join(r.dir, k.File)); err != nil {
			return changed, fmt.Errorf("remove a retired key: %w", err)
		}
		r.keys[RequestKey] = slices.DeleteFunc(r.keys[RequestKey], func(o RingKey) bool { return o.File == k.File })
		changed = true
	}
	return changed, nil
}

// federationKeyLife is how long a federation key should sign.
const federationKeyLife = 365 * 24 * time.Hour

// Due is when the next key of a use is to be made, at the latest, so that it is published in time before the present one is
// as old as it should get. RotateRequestKey makes a request key then.
func (r *KeyRing) Due(use KeyUse, now time.Time) time.Time {
	life := requestKeyLife
	if use == FederationKey {
		life = federationKeyLife
	}
	return r.current(use, now).From.Add(life - KeyNotice)
}

// RequestKeyDue tells whether RotateRequestKey would make a key at a time.
func (r *KeyRing) RequestKeyDue(now time.Time) bool {
	return r.current(RequestKey, now).until.IsZero() && !now.Before(r.Due(RequestKey, now))
}

func (r *KeyRing) retired(use KeyUse, now time.Time) []RingKey {
	return slices.DeleteFunc(r.All(use), func(k RingKey) bool { return r.Stage(k, now) != RetiredKey })
}
