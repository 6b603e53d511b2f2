package stix

// class is the class of an object type (§1, §3.2); it decides the common properties.
type class uint8

const (
	classCustom class = iota // not of the standard
	classSDO
	classSRO
	classSCO
	classLanguage
	classMarking
	classExtension
	classBundle
)

// versioned are the common properties of domain and relationship objects.
const versioned = `type!:elsewhere id!:elsewhere spec_version!:elsewhere created_by_ref:ref(identity) created!:time modified!:time revoked:bool
	labels:[string] confidence:int(0,100) lang:lang external_references:[{external-reference}]
	object_marking_refs:[ref(marking-definition)] granular_markings:[{granular-marking}] extensions:extensions`

// commonProperties says for each class which properties are common, and which of the common ones must not appear (§3.2).
var commonProperties = map[class]struct{ properties, forbidden string }{
	classSDO: {versioned, `defanged`},
	classSRO: {versioned, `defanged`},
	classSCO: {
		`type!:elsewhere id!:elsewhere spec_version:elsewhere object_marking_refs:[ref(marking-definition)]
		granular_markings:[{granular-marking}] defanged:bool extensions:extensions`,
		`created_by_ref created modified revoked labels confidence lang external_references`,
	},
	classLanguage: {
		`type!:elsewhere id!:elsewhere spec_version!:elsewhere created_by_ref:ref(identity) created!:time modified!:time revoked:bool
		labels:[string] confidence:int(0,100) external_references:[{external-reference}]
		object_marking_refs:[ref(marking-definition)] granular_markings:[{granular-marking}] extensions:extensions`,
		`lang defanged`,
	},
	classMarking: {
		`type!:elsewhere id!:elsewhere spec_version!:elsewhere created_by_ref:ref(identity) created!:time
		external_references:[{external-reference}] object_marking_refs:[ref(marking-definition)]
		granular_markings:[{granular-marking}] extensions:extensions`,
		`modified revoked labels confidence lang defanged`,
	},
	classExtension: {
		`type!:elsewhere id!:elsewhere spec_version!:elsewhere created_by_ref!:ref(identity) created!:time modified!:time revoked:bool
		labels:[string] external_references:[{external-reference}] object_marking_refs:[ref(marking-definition)]
		granular_markings:[{granular-marking}]`,
		`confidence lang extensions defanged`,
	},
	classBundle: {`type!:elsewhere id!:elsewhere objects:elsewhere`, ``},
}

// structuralProperties are those that an exchange decides by: without them in order it cannot version, mark or own an
// object.
const structuralProperties = `type id spec_version created modified created_by_ref revoked object_marking_refs
	granular_markings`

// spec is one type of the tables: its name, its section, and its own properties in the notation of parseProperties.
type spec struct {
	name       string
	section    string
	properties string
	check      func(c *checker, object int) // rules between properties; nil if there are none
}

// rule is a type of object, compiled: top-level or embedded.
type rule struct {
	name       string
	class      class
	section    string
	custom     bool // properties that are not in the table belong here and need no warning
	properties []property
	byName     map[string]int
	required   []int
	check      func(c *checker, object int)
}

// property is a property of a rule.
type property struct {
	name       string
	section    string
	required   bool
	forbidden  bool
	structural bool
	value      value
}

// standardTypes are the object types of STIX 2.1 (§4 to §8) by name, embeddedTypes the structures inside them and the
// predefined extensions. customTypes are the rules for types that are not of the standard.
var (
	standardTypes = map[string]*rule{}
	embeddedTypes = map[string]*rule{}
	customTypes   = map[class]*rule{}
)

func init() {
	for _, s := range embeddedTable {
		embeddedTypes[s.name] = &rule{name: s.name} // in advance, for types that contain each other
	}
	for _, s := range embeddedTable {
		*embeddedTypes[s.name] = *compile(s, classCustom)
	}
	for class, table := range map[class][]spec{
		classSDO: domainTable, classSRO: relationshipTable, classSCO: observableTable,
		classLanguage: {languageContent}, classMarking: {markingDefinition}, classExtension: {extensionDefinition},
		classBundle: {{name: "bundle", section: "8.1"}},
	} {
		for _, s := range table {
			standardTypes[s.name] = compile(s, class)
		}
	}
	for class, section := range map[class]string{classSDO: "3.2", classSRO: "3.2", classSCO: "3.2"} {
		r := compile(spec{section: section}, class)
		r.custom = true
		customTypes[class] = r
	}
}

func classOf(typ string) class {
	if r := standardTypes[typ]; r != nil {
		return r.class
	}
	return classCustom
}
