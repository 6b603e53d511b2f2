package stix

// class is the class of an object type (§1, §3.2).
type class uint8

const (
	classCustom class = iota // neither of the standard nor known
	classSDO
	classSRO
	classSCO
	classMeta
	classBundle
)

type standardType struct {
	name  string
	class class
}

// standardTypes are the object types of STIX 2.1 (§4 to §8).
var standardTypes = func() map[string]standardType {
	types := make(map[string]standardType)
	for class, names := range map[class][]string{
		classSDO: {"attack-pattern", "campaign", "course-of-action", "grouping", "identity", "incident", "indicator",
			"infrastructure", "intrusion-set", "location", "malware", "malware-analysis", "note", "observed-data", "opinion",
			"report", "threat-actor", "tool", "vulnerability"},
		classSRO: {"relationship", "sighting"},
		classSCO: {"artifact", "autonomous-system", "directory", "domain-name", "email-addr", "email-message", "file",
			"ipv4-addr", "ipv6-addr", "mac-addr", "mutex", "network-traffic", "process", "software", "url", "user-account",
			"windows-registry-key", "x509-certificate"},
		classMeta:   {"language-content", "marking-definition", "extension-definition"},
		classBundle: {"bundle"},
	} {
		for _, name := range names {
			types[name] = standardType{name, class}
		}
	}
	return types
}()

func classOf(typ string) class { return standardTypes[typ].class }
