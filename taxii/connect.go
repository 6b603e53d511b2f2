package taxii

import "strings"

// connect tells how to connect each known program, with the values to enter.
type connect struct {
	Discovery  string // the server's discovery URL
	Collection string // the title of the collection whose values these are; "" if the caller has none
	One        bool   // the page is about that collection alone
	Tools      []tool
}

// tool is a program that speaks TAXII 2.1, and what its form is to be filled in with.
type tool struct {
	Name   string
	Fields []field
	Note   string
}

// field is a value to enter. Copy: the value is to be copied as it is; otherwise it is a description of it.
type field struct {
	Label, Value string
	Copy         bool
}

// newConnect makes the table for the first collection that the caller reads, or else writes.
func (s *Server) newConnect(list []pageCollection, caller *Principal) *connect {
	var chosen pageCollection
	for _, c := range list {
		if chosen.ID == "" || c.CanRead && !chosen.CanRead {
			chosen = c
		}
	}
	c := &connect{Discovery: s.discoveryURL(), Collection: chosen.Title, One: len(list) == 1}
	v := toolValues{discovery: s.discoveryURL(), root: s.rootURL(), name: s.opt.APIRoot, user: caller.Name, collection: chosen}
	if chosen.ID == "" {
		return c
	}
	if chosen.CanRead {
		c.Tools = append(c.Tools, v.readers()...)
	}
	if chosen.CanWrite {
		c.Tools = append(c.Tools, v.writers()...)
	}
	return c
}

// toolValues are what the fields are made of.
type toolValues struct {
	discovery, root, name, user string
	collection                  pageCollection
}

func exactly(label, value string) field { return field{Label: label, Value: value, Copy: true} }

// account is how a program logs in with name and key.
func (v toolValues) account(user, password string) []field {
	return []field{exactly(user, v.user), {Label: password, Value: "the account's key"}}
}

// fields are the place, then the login.
func fields(login []field, place ...field) []field { return append(place, login...) }

// readers are the programs that poll. Which of id, alias and title each goes by is what most connections fail at.
func (v toolValues) readers() []tool {
	c := v.collection
	basic := v.account("User name", "Password")
	return []tool{
		{"Microsoft Sentinel", fields(basic, exactly("API root URL", v.root), exactly("Collection ID", c.ID)),
			"Data connector “Threat intelligence – TAXII”. It goes by the ID, neither alias nor title. The server needs a certificate " +
				"that Microsoft trusts, and its firewall must let the addresses through that Microsoft lists for the connector."},
		{"Splunk Enterprise Security", fields(basic, exactly("API root URL", v.root), exactly("Collection", c.ID)),
			"8.2 and later; earlier versions speak TAXII 1 only. It goes by the ID."},
		{"OpenCTI, TAXII ingestion", fields(basic, exactly("TAXII server URL", v.root), exactly("Collection", c.ID), exactly("TAXII version", "2.1")),
			"The URL is that of the API root, without /collections; the collection is the ID. Instead of user and password the key may be " +
				"given as a bearer token."},
		{"OpenCTI, connector taxii2", fields(basic, exactly("Discovery URL", v.discovery), exactly("Collections", v.name+"."+c.Title)),
			"It goes by the title, letter for letter, after the API root's name and a dot; neither ID nor alias."},
		{"MISP, TAXII servers", fields(basic, exactly("Server", v.discovery), exactly("API root", v.root), exactly("Collection", c.ID)),
			"MISP lists API roots and collections to choose from; the collection is kept by its ID."},
		{"Elastic, Custom Threat Intelligence", fields(basic, exactly("URL", c.ObjectsURL)),
			"The URL of the objects, with the ID in it. Set an initial interval, or the whole collection is read at every poll. The account needs " +
				"“--compat empty-list”: ask the server's operator."},
		{"Cortex XSOAR, TAXII 2 Feed", fields(basic, exactly("Discovery service URL", v.discovery), exactly("Default API root", v.name),
			exactly("Collection name", c.Title)), "It goes by the title, letter for letter; neither ID nor alias."},
		{"taxii2-client (Python)", []field{exactly("Collection URL", c.URL), exactly("Example", v.python())},
			"The URL must have the ID in it: taxii2-client refuses URLs with the alias. So does everything that is built on it, such as python-stix2."},
		{"curl, to try it", []field{exactly("Command", "curl -u '"+v.user+"' -H 'Accept: "+MediaType+"' '"+c.ObjectsURL+"?limit=10'")},
			v.alias() + "curl asks for the key."},
	}
}

// alias tells that the alias would do, if there is one.
func (v toolValues) alias() string {
	if v.collection.Alias == "" {
		return ""
	}
	return "Here the alias " + v.collection.Alias + " would do in place of the ID. "
}

func (v toolValues) python() string {
	return strings.Join([]string{
		"from taxii2client.v21 import Collection, as_pages",
		`collection = Collection("` + v.collection.URL + `", user="` + v.user + `", password=KEY)`,
		"for page in as_pages(collection.get_objects, per_request=1000):",
		`    print(len(page.get("objects", [])))`,
	}, "\n")
}

// writers are the programs that push.
func (v toolValues) writers() []tool {
	basic := v.account("User name", "Password")
	c := v.collection
	return []tool{
		{"Microsoft Sentinel, TAXII export", fields(basic, exactly("API root URL", v.root), exactly("Collection ID", c.ID)),
			"It adds indicators to this collection. The connector cannot be edited afterwards, only made again."},
		{"Splunk, CTIS app", fields(basic, exactly("API root URL", v.root)),
			"Saving the form lists the collections; choose " + c.Title + " when submitting. It shows what was refused, and why."},
		{"OpenCTI, stream connector taxii-post", fields(basic, exactly("URL", strings.TrimSuffix(v.discovery, "/")), exactly("API root", v.name),
			exactly("Collection ID", c.ID), exactly("TAXII version", "2.1")),
			"Turn off that it strips markings and creator: what comes without a marking is handled as strictly as this collection says."},
		{"MISP, push", fields(basic, exactly("API root", v.root), exactly("Collection", c.ID)), "Splits what it sends to the server's limit."},
	}
}
