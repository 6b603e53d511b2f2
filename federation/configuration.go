package federation

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

const (
	// statementType is the typ of entity statements (OpenID Federation 1.0 §3.1).
	statementType = "entity-statement+jwt"
	// configurationLife is how long an entity configuration holds.
	configurationLife = 24 * time.Hour
	// clockLeeway is how far the clocks of two nodes may differ.
	clockLeeway = 30 * time.Second
)

// Configuration is an entity configuration: what a node says about itself, signed by its federation key (OpenID
// Federation 1.0 §3). On its own it proves only that its parts belong together; trust comes from the pinned thumbprint.
type Configuration struct {
	Entity EntityID
	// IssuedAt and Expires bound its life, in whole seconds.
	IssuedAt, Expires time.Time
	// FederationKeys are the top-level jwks, RequestKeys those of metadata.taxii_node.
	FederationKeys, RequestKeys jose.KeySet
	// APIRoot is the absolute URL of the node's TAXII API root, with a trailing slash.
	APIRoot string
}

// nodeType is the entity type identifier of a node (OpenID Federation 1.0 §5.1).
const nodeType = "taxii_node"

// VerifyConfiguration checks an entity configuration: it must be about that entity, signed by the key whose RFC 7638
// thumbprint was pinned, and in its time. Nothing in it is believed before the signature of that key has been checked,
// but the key itself, which its thumbprint identifies.
func VerifyConfiguration(compact string, entity EntityID, thumbprint string, now time.Time) (Configuration, error) {
	c, err := verifyConfiguration(compact, entity, thumbprint, now)
	if err != nil {
		return Configuration{}, fmt.Errorf("entity configuration of %s: %w", entity, err)
	}
	return c, nil
}

func verifyConfiguration(compact string, entity EntityID, thumbprint string, now time.Time) (Configuration, error) {
	if !jose.ValidThumbprint(thumbprint) {
		return Configuration{}, fmt.Errorf("%.64q is not a thumbprint: it must be the 43 characters that the peer's operator reads out", thumbprint)
	}
	unverified, err := jose.Parse(compact, statementType, 0)
	if err != nil {
		return Configuration{}, err
	}
	keys, err := keySetOf(unverified.Claims)
	if err != nil {
		return Configuration{}, err
	}
	pinned, ok := keys.Key(thumbprint)
	if !ok {
		return Configuration{}, fmt.Errorf("none of its keys has the thumbprint %s; compare it once more with the peer's operator", thumbprint)
	}
	pinnedSet, err := jose.NewKeySet(pinned)
	if err != nil {
		return Configuration{}, err
	}
	claims, err := jose.Verify(compact, jose.Profile{
		Type: statementType, Keys: pinnedSet, RequireExpiry: true, Now: now, Leeway: clockLeeway,
	})
	if err != nil {
		return Configuration{}, err
	}
	return readConfiguration(claims, entity, keys)
}

// readConfiguration takes the members of a configuration whose signature holds.
func readConfiguration(claims jose.Claims, entity EntityID, keys jose.KeySet) (c Configuration, err error) {
	for _, name := range []string{"iss", "sub"} {
		if id, err := claims.Text(name); err != nil || id != string(entity) {
			return c, fmt.Errorf("its %s is %.255q", name, id)
		}
	}
	c = Configuration{Entity: entity, FederationKeys: keys}
	if c.IssuedAt, err = claims.Time("iat"); err != nil {
		return c, err
	}
	if c.Expires, err = claims.Time("exp"); err != nil {
		return c, err
	}
	if life := c.Expires.Sub(c.IssuedAt); life <= 0 || life > configurationLife {
		return c, fmt.Errorf("it is valid for %s; at most %s is accepted", life, configurationLife)
	}
	metadata, err := claims.Object.Object("metadata")
	if err != nil {
		return c, err
	}
	node, err := metadata.Object(nodeType)
	if err != nil {
		return c, err
	}
	if c.RequestKeys, err = keySetOf(node); err != nil {
		return c, err
	}
	if c.APIRoot, err = node.Text("api_root"); err != nil {
		return c, err
	}
	return c, CheckAPIRoot(entity, c.APIRoot)
}

func keySetOf(o jose.Object) (jose.KeySet, error) {
	set, err := o.Object("jwks")
	if err != nil {
		return jose.KeySet{}, err
	}
	return jose.ParseKeySet(set.Raw())
}

// Peer returns what a node keeps of the configuration when it pins its subject.
func (c Configuration) Peer(added time.Time) (Peer, error) {
	keys, err := json.Marshal(c.RequestKeys)
	if err != nil {
		return Peer{}, fmt.Errorf("keys of %s: %w", c.Entity, err)
	}
	return Peer{Entity: c.Entity, JWKS: keys, APIRoot: c.APIRoot, Added: added}, nil
}

// CheckAPIRoot accepts the address of an entity's TAXII API root: an absolute https URL that ends in a slash, without
// user info, query and fragment. That of a loopback entity must lie below the entity id itself.
func CheckAPIRoot(entity EntityID, apiRoot string) error {
	err := checkAPIRoot(entity, apiRoot)
	if err != nil {
		return fmt.Errorf("API root %.300q: %w", apiRoot, err)
	}
	return nil
}

func checkAPIRoot(entity EntityID, apiRoot string) error {
	u, err := url.Parse(apiRoot)
	switch {
	case err != nil || len(apiRoot) > 2048:
		return errors.New("it is not a URL of at most 2,048 characters")
	case !strings.HasSuffix(u.EscapedPath(), "/"):
		return errors.New("it must end in a slash")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(apiRoot, "#"):
		return errors.New("it must have no user info, query or fragment")
	case entity.Loopback():
		if !strings.HasPrefix(apiRoot, string(entity)+"/") {
			return errors.New("it must lie below the entity id, for a node on this machine")
		}
	case u.Scheme != "https" || u.Hostname() == "":
		return errors.New("it must be an absolute https URL")
	}
	return nil
}
