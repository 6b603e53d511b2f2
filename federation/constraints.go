package federation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// Constraints is the claim constraints of a subordinate statement (OpenID Federation 1.0 §6.2): what may be below its
// subject. The zero value allows everything.
type Constraints struct {
	// MaxPathLength is how many intermediates may stand between the issuer and the entity at the end of the chain; nil
	// for any number.
	MaxPathLength *int
	// Permitted and Excluded are host names that the entity ids below may or may not have; ".example.dk" stands for
	// every name below example.dk (RFC 5280 §4.2.1.10). Where Permitted is not nil, one of it must match.
	Permitted, Excluded []string
	// AllowedEntityTypes are the entity types that count, besides federation_entity; nil for all.
	AllowedEntityTypes []string
}

// federationEntityType is the entity type of those that issue statements (OpenID Federation 1.0 §5.1.1); it is always
// allowed.
const federationEntityType = "federation_entity"

// constraintsClaim is the form of the claim.
type constraintsClaim struct {
	MaxPathLength      *int              `json:"max_path_length,omitempty"`
	Naming             *namingConstraint `json:"naming_constraints,omitempty"`
	AllowedEntityTypes *[]string         `json:"allowed_entity_types,omitempty"`
}

type namingConstraint struct {
	Permitted []string `json:"permitted,omitempty"`
	Excluded  []string `json:"excluded,omitempty"`
}

// MarshalJSON writes the claim.
func (c Constraints) MarshalJSON() ([]byte, error) {
	claim := constraintsClaim{MaxPathLength: c.MaxPathLength}
	if c.Permitted != nil || c.Excluded != nil {
		claim.Naming = &namingConstraint{Permitted: c.Permitted, Excluded: c.Excluded}
	}
	if c.AllowedEntityTypes != nil {
		claim.AllowedEntityTypes = &c.AllowedEntityTypes
	}
	return json.Marshal(claim)
}

// isZero tells whether nothing is constrained.
func (c Constraints) isZero() bool {
	return c.MaxPathLength == nil && c.Permitted == nil && c.Excluded == nil && c.AllowedEntityTypes == nil
}

// parseConstraints reads the claim. A member that is not known is passed over, as the standard wants it; one of a wrong
// form is an error, since what it should keep out is not known.
func parseConstraints(claim jose.Object) (Constraints, error) {
	var c Constraints
	if err := readClaim(claim, "max_path_length", &c.MaxPathLength); err != nil {
		return c, err
	}
	if c.MaxPathLength != nil && *c.MaxPathLength < 0 {
		return c, fmt.Errorf("max_path_length is %d; it cannot be negative", *c.MaxPathLength)
	}
	if err := readClaim(claim, "allowed_entity_types", &c.AllowedEntityTypes); err != nil {
		return c, err
	}
	if claim.Has("naming_constraints") {
		naming, err := claim.Object("naming_constraints")
		if err != nil {
			return c, err
		}
		if err := readClaim(naming, "permitted", &c.Permitted); err != nil {
			return c, err
		}
		if err := readClaim(naming, "excluded", &c.Excluded); err != nil {
			return c, err
		}
	}
	for _, name := range slices.Concat(c.Permitted, c.Excluded) {
		host := strings.TrimPrefix(name, ".")
		if host == "" || strings.ToLower(host) != host || strings.ContainsAny(host, "/:@?#*%") {
			return c, fmt.Errorf("the naming constraint %.64q is no lower-case host name, or one with a dot in front", name)
		}
	}
	return c, nil
}

// allow checks one entity below the issuer, with so many intermediates between the two.
func (c Constraints) allow(id EntityID, intermediates int) error {
	if c.MaxPathLength != nil && intermediates > *c.MaxPathLength {
		return fmt.Errorf("%d intermediates stand between; at most %d are allowed", intermediates, *c.MaxPathLength)
	}
	host := id.host()
	if slices.ContainsFunc(c.Excluded, func(name string) bool { return nameMatches(name, host) }) {
		return fmt.Errorf("the name %s is excluded by the naming constraints", host)
	}
	if c.Permitted != nil && !slices.ContainsFunc(c.Permitted, func(name string) bool { return nameMatches(name, host) }) {
		return fmt.Errorf("the name %s is not permitted by the naming constraints", host)
	}
	return nil
}

// nameMatches is the rule of RFC 5280 §4.2.1.10 for the host of a URI: a name with a dot in front stands for all names
// below it and not for itself, any other for itself alone.
func nameMatches(constraint, host string) bool {
	if strings.HasPrefix(constraint, ".") {
		return strings.HasSuffix(host, constraint) && len(host) > len(constraint)
	}
	return host == constraint
}

// host is the host name of the entity id, without a port.
func (e EntityID) host() string {
	_, rest, _ := strings.Cut(string(e), "://")
	authority, _, _ := strings.Cut(rest, "/")
	host, _, _ := strings.Cut(authority, ":")
	return host
}

// restrict removes entity types that are not allowed (OpenID Federation 1.0 §6.2.3).
func (c Constraints) restrict(m Metadata) {
	if c.AllowedEntityTypes == nil {
		return
	}
	for entityType := range m {
		if entityType != federationEntityType && !slices.Contains(c.AllowedEntityTypes, entityType) {
			delete(m, entityType)
		}
	}
}
