package stix

import (
	"encoding/json"
	"strings"
)

// FalseTLP reports whether an object is a marking-definition under the identifier of a TLP marking that says another
// level than that marking means (§7.2.1.4: other instances must not be used). An exchange decides by the identifier, so it
// is not misled; those it would pass the object on to might be.
func (o *Object) FalseTLP() bool {
	level, isTLP := tlpMarkings[o.ID]
	if !isTLP || o.Type != "marking-definition" {
		return false
	}
	var content struct {
		DefinitionType string `json:"definition_type"`
		Definition     struct {
			TLP string `json:"tlp"`
		} `json:"definition"`
		Extensions map[string]struct {
			TLP string `json:"tlp_2_0"`
		} `json:"extensions"`
	}
	if err := json.Unmarshal(o.Raw, &content); err != nil {
		return true
	}
	says := content.Extensions["extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"].TLP
	if content.DefinitionType == "tlp" {
		says = content.Definition.TLP
	}
	if o.ID == "marking-definition--826578e1-40ad-459f-bc73-ede076f81f37" { // OpenCTI's own: it says so in words of its own
		return false
	}
	named, err := ParseTLP(strings.TrimSpace(says))
	return err != nil || named != level
}
