package stix

import (
	"fmt"
	"strings"
)

// relationshipTargets are the relationships of the standard (Appendix B): for each source type, the types of
// relationship and the types they lead to.
var relationshipTargets = func() map[string]map[string]*refTarget {
	all := make(map[string]map[string]*refTarget, len(relationshipText))
	for source, text := range relationshipText {
		all[source] = make(map[string]*refTarget)
		for item := range strings.SplitSeq(text, ";") {
			words := strings.Fields(item)
			if len(words) != 2 {
				panic(fmt.Sprintf("stix: the table of relationships has the bad item %q", item))
			}
			all[source][words[0]] = parseTarget(words[1])
		}
	}
	return all
}()

var relationshipText = map[string]string{
	"attack-pattern": `delivers malware; targets identity|location|vulnerability; uses malware|tool`,
	"campaign": `attributed-to intrusion-set|threat-actor; compromises infrastructure; originates-from location; targets
		identity|location|vulnerability; uses attack-pattern|infrastructure|malware|tool`,
	"course-of-action": `investigates indicator; mitigates attack-pattern|indicator|malware|tool|vulnerability; remediates
		malware|vulnerability`,
	"domain-name": `resolves-to domain-name|ipv4-addr|ipv6-addr`,
	"identity":    `located-at location`,
	"indicator": `indicates attack-pattern|campaign|infrastructure|intrusion-set|malware|threat-actor|tool; based-on
		observed-data`,
	"infrastructure": `communicates-with infrastructure|ipv4-addr|ipv6-addr|domain-name|url; consists-of
		infrastructure|observed-data|SCO; controls infrastructure|malware; delivers malware; has vulnerability;
		hosts tool|malware; located-at location; uses infrastructure`,
	"intrusion-set": `attributed-to threat-actor; compromises infrastructure; hosts infrastructure; owns infrastructure;
		originates-from location; targets identity|location|vulnerability; uses
		attack-pattern|infrastructure|malware|tool`,
	"ipv4-addr": `belongs-to autonomous-system; resolves-to mac-addr`,
	"ipv6-addr": `belongs-to autonomous-system; resolves-to mac-addr`,
	"malware": `authored-by threat-actor|intrusion-set; beacons-to infrastructure; exfiltrates-to infrastructure;
		communicates-with ipv4-addr|ipv6-addr|domain-name|url; controls malware; downloads malware|tool|file;
		drops malware|tool|file; exploits vulnerability; originates-from location; targets
		identity|infrastructure|location|vulnerability; uses attack-pattern|infrastructure|malware|tool;
		variant-of malware`,
	"malware-analysis": `characterizes malware; av-analysis-of malware; static-analysis-of malware;
		dynamic-analysis-of malware`,
	"threat-actor": `attributed-to identity; compromises infrastructure; hosts infrastructure; owns infrastructure;
		impersonates identity; located-at location; targets identity|location|vulnerability; uses
		attack-pattern|infrastructure|malware|tool`,
	"tool": `delivers malware; drops malware; has vulnerability; targets
		identity|infrastructure|location|vulnerability; uses infrastructure`,
}

func checkRelationship(c *checker, i int) {
	c.ordered(i, "start_time", "stop_time", "5.1.2", true)
	n, typ := c.stringOf(i, "relationship_type")
	if n == 0 {
		return
	}
	if len(typ) == 0 || !all(typ, func(b byte) bool { return isLower(b) || isDigit(b) || b == '-' }) {
		c.fail(n, "relationship-type", "5.1.2", "%s must be lowercase letters, digits and hyphens only.", quoteShort(typ))
		return
	}
	source, target := c.refType(i, "source_ref"), c.refType(i, "target_ref")
	if source == "" || target == "" {
		return
	}
	switch string(typ) {
	case "related-to":
		return
	case "derived-from", "duplicate-of":
		if source != target {
			c.warn(n, "relationship", "3.7", "%s should join two objects of the same type, not %s and %s.", typ, source, target)
		}
		return
	}
	targets := relationshipTargets[source][string(typ)]
	if targets == nil || !targets.allows([]byte(target)) {
		c.warn(n, "relationship", "5.1.2",
			"%s %s %s is not a relationship of the standard; others may not understand it.", source,
			short(typ), target)
	}
}

// refType is the type that a reference refers to, "" if it is absent or malformed.
func (c *checker) refType(i int, name string) string {
	n := c.member(i, name)
	if n == 0 {
		return ""
	}
	return c.identifier(n).Type()
}
