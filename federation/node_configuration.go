package federation

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// NodeConfiguration is what a node says about itself: what its entity configuration is made of.
type NodeConfiguration struct {
	Entity EntityID
	// Keys sign: the federation key this text, the request key the node's requests.
	Keys Keys
	// FederationKeys and RequestKeys stand beside those that sign: keys that were announced and are not used yet, and
	// those that were used lately.
	FederationKeys, RequestKeys []jose.PublicKey
	// APIRoot is the address of the node's TAXII API root, with a trailing slash; "" for the entity's default.
	APIRoot string
	// Superiors are the authority_hints: who issues statements about the node, at most three; none for an anchor.
	Superiors []EntityID
	// IssuesStatements makes the node a federation_entity, with the addresses of its endpoints below BaseURL.
	IssuesStatements bool
	// BaseURL is the address under which others reach the node, without a trailing slash; "" for the entity id.
	BaseURL string
	// Organization is the name of the party, for people; "" for none.
	Organization string
	// TrustMarks are those that the node shows.
	TrustMarks []TrustMarkClaim
	// TrustMarkIssuers and TrustMarkOwners are an anchor's.
	TrustMarkIssuers map[string][]EntityID
	TrustMarkOwners  map[string]TrustMarkOwner
}

// Sign returns the entity configuration as a compact JWS, valid for 24 hours from now.
func (c NodeConfiguration) Sign(now time.Time) (string, error) {
	return c.SignFor(configurationLife, now)
}

// SignFor is Sign with another life than 24 hours, a shorter one.
func (c NodeConfiguration) SignFor(life time.Duration, now time.Time) (string, error) {
	configuration, err := c.entityConfiguration()
	if err != nil {
		return "", fmt.Errorf("sign the entity configuration: %w", err)
	}
	configuration.Expires = now.Add(life)
	return configuration.Sign(c.Keys.Federation, now)
}

func (c NodeConfiguration) entityConfiguration() (EntityConfiguration, error) {
	if c.APIRoot == "" {
		c.APIRoot = c.Entity.DefaultAPIRoot()
	}
	if err := CheckAPIRoot(c.Entity, c.APIRoot); err != nil {
		return EntityConfiguration{}, err
	}
	if len(c.Superiors) > maxAuthorityHints {
		return EntityConfiguration{}, fmt.Errorf("it has %d superiors; at most %d are possible", len(c.Superiors), maxAuthorityHints)
	}
	federationKeys, err := keysWith(c.Keys.Federation, c.FederationKeys)
	if err != nil {
		return EntityConfiguration{}, err
	}
	requestKeys, err := keysWith(c.Keys.Request, c.RequestKeys)
	if err != nil {
		return EntityConfiguration{}, err
	}
	metadata := make(Metadata)
	err = metadata.set(nodeType, map[string]any{"api_root": c.APIRoot, "jwks": requestKeys, organizationParameter: c.Organization})
	if err == nil && c.IssuesStatements {
		err = metadata.set(federationEntityType, c.endpoints())
	}
	return EntityConfiguration{
		Statement: Statement{Subject: c.Entity, Keys: federationKeys, Metadata: metadata}, AuthorityHints: c.Superiors,
		TrustMarks: c.TrustMarks, TrustMarkIssuers: c.TrustMarkIssuers, TrustMarkOwners: c.TrustMarkOwners,
	}, err
}

// organizationParameter is the name of the party (OpenID Federation 1.0 §5.2.2).
const organizationParameter = "organization_name"

// endpoints are the metadata parameters of a federation_entity (OpenID Federation 1.0 §5.1.1).
func (c NodeConfiguration) endpoints() map[string]any {
	base := c.BaseURL
	if base == "" {
		base = string(c.Entity)
	}
	return map[string]any{
		fetchParameter: base + FetchPath, listParameter: base + ListPath, resolveParameter: base + ResolvePath,
		historicalKeysParameter: base + HistoricalKeysPath, organizationParameter: c.Organization,
	}
}

// set puts parameters of an entity type; empty strings are left out.
func (m Metadata) set(entityType string, parameters map[string]any) error {
	m[entityType] = make(map[string]json.RawMessage, len(parameters))
	for name, value := range parameters {
		if value == "" {
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("the metadata parameter %s: %w", name, err)
		}
		m[entityType][name] = text
	}
	return nil
}

// keysWith is the set of the key that signs and of others, which may name it again.
func keysWith(signing *jose.Key, others []jose.PublicKey) (jose.KeySet, error) {
	keys := []jose.PublicKey{signing.Public()}
	for _, k := range others {
		if k.ID() != signing.ID() {
			keys = append(keys, k)
		}
	}
	return jose.NewKeySet(keys...)
}
