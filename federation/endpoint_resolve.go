package federation

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// maxParameters bounds how often a parameter of a query counts.
const maxParameters = 16

// resolve answers with an entity's metadata from a chain that the node holds already (OpenID Federation 1.0 §8.3). It asks
// nobody: an entity whose chain it does not hold is not found.
func (e *Endpoints) resolve(w http.ResponseWriter, r *http.Request) error {
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	id, err := entityParameter(query, "sub")
	if err != nil {
		return err
	}
	anchors, types := query["trust_anchor"], query["entity_type"]
	switch {
	case len(anchors) == 0:
		return invalidRequest("the parameter trust_anchor is missing")
	case len(anchors) > maxParameters || len(types) > maxParameters:
		return invalidRequest("a parameter stands there more than %d times", maxParameters)
	}
	chain := e.options.Chains(id)
	if chain == nil {
		return notFound("this node holds no trust chain of %s", id)
	}
	if !slices.Contains(anchors, string(chain.Anchor)) {
		return &EndpointError{Status: http.StatusNotFound, Code: "invalid_trust_anchor", Description: fmt.Sprintf("the trust chain of %s that this node holds ends at %s", id, chain.Anchor)}
	}
	now := e.options.Now()
	marks, _ := chain.VerifyTrustMarks(e.issuerKeys, now) // those that do not hold are left out, as the standard wants it
	compact, err := chain.Resolve(e.options.Entity, types, marks, now).Sign(e.options.FederationKey())
	if err != nil {
		return err
	}
	writeBody(w, http.StatusOK, ResolveMediaType, "no-store", []byte(compact))
	return nil
}

// issuerKeys finds the keys of a trust mark issuer from a chain that the node holds.
func (e *Endpoints) issuerKeys(id EntityID) (jose.KeySet, error) {
	if chain := e.options.Chains(id); chain != nil {
		return chain.Superiors[0].Keys, nil
	}
	return jose.KeySet{}, fmt.Errorf("this node holds no trust chain of %s", id)
}
