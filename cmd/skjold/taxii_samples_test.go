package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/skjold-exchange/skjold/stix"
)

// sampleTypes are the properties that each type of sample object needs beside the common ones; %d is the object's number.
var sampleTypes = map[string]string{
	"campaign":       `"name":"Campaign %d"`,
	"identity":       `"name":"Party %d"`,
	"indicator":      `"name":"Host %[1]d","pattern":"[ipv4-addr:value = '198.51.100.%[1]d']","pattern_type":"stix","valid_from":"2024-01-01T00:00:00Z"`,
	"ipv4-addr":      `"value":"198.51.100.%d"`,
	"malware":        `"name":"Family %d","is_family":true`,
	"x-custom-thing": `"name":"Thing %d"`,
}

// sample is one version of an object that a script names.
type sample struct {
	id, version, raw string
}

// sampleOf reads TYPE.NUMBER or TYPE.NUMBER.VERSION. Cyber-observables have no version.
func sampleOf(name string) (sample, error) {
	parts := strings.Split(name, ".")
	properties, ok := sampleTypes[parts[0]]
	if !ok || len(parts) < 2 || len(parts) > 3 {
		return sample{}, fmt.Errorf("%q is no sample object; there are TYPE.NUMBER[.VERSION] of %v", name, sampleTypes)
	}
	numbers := []int{0, 1}
	for i, part := range parts[1:] {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > 99 {
			return sample{}, fmt.Errorf("%q: %q is not a number from 1 to 99", name, part)
		}
		numbers[i] = n
	}
	s := sample{id: sampleID(parts[0], numbers[0]), version: sampleVersion(numbers[1])}
	properties = fmt.Sprintf(properties, numbers[0])
	if parts[0] == "ipv4-addr" {
		s.version = ""
		s.raw = fmt.Sprintf(`{"type":"ipv4-addr","spec_version":"2.1","id":%q,%s}`, s.id, properties)
		return s, nil
	}
	s.raw = fmt.Sprintf(`{"type":%q,"spec_version":"2.1","id":%q,"created":%q,"modified":%q,%s}`, parts[0], s.id, sampleVersion(1), s.version, properties)
	return s, nil
}

// sampleID is the id of an object of a type by its number. An address's is made from its value (STIX 2.1 §2.9).
func sampleID(typ string, n int) string {
	if typ != "ipv4-addr" {
		return fmt.Sprintf("%s--00000000-0000-4000-8000-0000000000%02d", typ, n)
	}
	id, err := stix.DeterministicIdentifier(fmt.Appendf(nil, `{"type":"ipv4-addr","value":"198.51.100.%d"}`, n))
	if err != nil {
		panic(err)
	}
	return string(id)
}

func sampleVersion(n int) string { return fmt.Sprintf("2024-01-01T00:00:%02d.000Z", n) }

// sampleVariables are the ids and versions for scripts to name.
func sampleVariables() map[string]string {
	vars := map[string]string{}
	for n := 1; n <= 9; n++ {
		vars["v"+strconv.Itoa(n)] = sampleVersion(n)
		for typ := range maps.Keys(sampleTypes) {
			vars[strings.ReplaceAll(typ, "-", "")+strconv.Itoa(n)] = sampleID(typ, n)
		}
	}
	return vars
}

func samples(ts *testscript.TestScript, names []string) []sample {
	list := make([]sample, len(names))
	for i, name := range names {
		var err error
		list[i], err = sampleOf(name)
		ts.Check(err)
	}
	return list
}

func envelopeText(list []sample, more string) string {
	raws := make([]string, len(list))
	for i, s := range list {
		raws[i] = s.raw
	}
	return "{" + more + `"objects":[` + strings.Join(raws, ",\n") + "]}"
}

// cmdEnvelope writes a TAXII envelope.
func cmdEnvelope(ts *testscript.TestScript, _ bool, args []string) { writeSamples(ts, args, "") }

// cmdBundle writes a STIX bundle, as most clients send.
func cmdBundle(ts *testscript.TestScript, _ bool, args []string) {
	writeSamples(ts, args, `"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000000",`)
}

func writeSamples(ts *testscript.TestScript, args []string, more string) {
	must(ts, len(args) > 1, "envelope|bundle FILE OBJECT...")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(envelopeText(samples(ts, args[1:]), more)), 0o600))
}

// cmdHave adds sample objects as the administrator.
func cmdHave(ts *testscript.TestScript, _ bool, args []string) {
	in := ts.Getenv("ID")
	if len(args) > 1 && args[0] == "--in" {
		in, args = args[1], args[2:]
	}
	must(ts, len(args) > 0, "have [--in COLLECTION] OBJECT...")
	c := conversationOf(ts)
	caller := c.caller
	c.caller = c.accounts[adminName]
	got := c.send(ts, request{method: "POST", target: ts.Getenv("ROOT") + "/collections/" + in + "/objects/", body: []byte(envelopeText(samples(ts, args), ""))})
	c.caller = caller
	if got.status != 202 || !strings.Contains(got.body, fmt.Sprintf(`"success_count":%d`, len(args))) {
		ts.Fatalf("not all of %v were added: %d %s", args, got.status, got.body)
	}
}

func cmdFill(ts *testscript.TestScript, _ bool, args []string) {
	must(ts, len(args) == 3, "fill FILE N TEXT")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), fmt.Appendf(nil, "%*s", n, args[2]), 0o600))
}

func cmdGzip(ts *testscript.TestScript, _ bool, args []string) {
	must(ts, len(args) == 2 || len(args) == 3, "gzip FROM TO [N]")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(z.Close())
	if len(args) == 3 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		b.Truncate(n)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o600))
}
