package pattern_test

import (
	"fmt"

	"github.com/skjold-exchange/skjold/stix/pattern"
)

func ExampleParse() {
	p, err := pattern.Parse("[file:hashes.'MD5'='79054025255fb1a26e4bc422aef54eb4']FOLLOWEDBY([url:value LIKE 'http://%.example/'])WITHIN 300 SECONDS")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p)
	// Output: [file:hashes.MD5 = '79054025255fb1a26e4bc422aef54eb4'] FOLLOWEDBY [url:value LIKE 'http://%.example/'] WITHIN 300 SECONDS
}

func ExampleCheck() {
	fmt.Println(pattern.Check("[file:hashes.SHA-256 = 'aa']"))
	fmt.Println(pattern.Check("[file:size > 10] and [file:size < 20]"))
	// Output:
	// pattern: line 1, column 14: the property name SHA-256 needs apostrophes around it (§9.7)
	// pattern: line 1, column 18: expected an operator, a qualifier or the end of the pattern, found 'and'; keywords are written in capital letters
}

func ExamplePattern_Observables() {
	for _, text := range []string{
		"[ipv4-addr:value IN ('198.51.100.7', '198.51.100.8') OR domain-name:value = 'login.example']",
		"[file:name = 'setup.exe' AND file:size > 1000]",
	} {
		p, err := pattern.Parse(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		values, complex := p.Observables()
		for _, v := range values {
			fmt.Println(v.ObjectType, v.Path, v.Value)
		}
		fmt.Println("complex:", complex)
	}
	// Output:
	// ipv4-addr value 198.51.100.7
	// ipv4-addr value 198.51.100.8
	// domain-name value login.example
	// complex: false
	// file name setup.exe
	// complex: true
}

func ExamplePattern_NormalForm() {
	for _, text := range []string{
		"[url:value = 'b' OR (url:value = 'a')]",
		"[url:value IN ('a', 'b', 'a')]",
		"[url:value = 'b'] OR [url:value = 'a'] OR ([url:value = 'a'] FOLLOWEDBY [file:size = 1.0])",
	} {
		p, err := pattern.Parse(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(p.NormalForm())
	}
	// Output:
	// [url:value = 'a' OR url:value = 'b']
	// [url:value = 'a' OR url:value = 'b']
	// [url:value = 'a' OR url:value = 'b']
}

func ExampleMatch() {
	p, err := pattern.Parse("[network-traffic:dst_ref.value ISSUBSET '198.51.100.0/24'] REPEATS 5 TIMES WITHIN 60 SECONDS")
	if err != nil {
		fmt.Println(err)
		return
	}
	bundle := []byte(`{"type": "bundle", "id": "bundle--6f1f6e0a-2b1c-4d0e-9d68-3d2f4b8f5a01", "objects": [
	  {"type": "observed-data", "id": "observed-data--b67d30ff-02ac-498a-92f9-32f845f448cf", "number_observed": 50,
	   "first_observed": "2026-01-21T18:58:16Z", "last_observed": "2026-01-21T18:59:00Z",
	   "object_refs": ["network-traffic--2568d22a-8998-58eb-99ec-3c8ca74f527d", "ipv4-addr--a2b3c4d5-0a1b-5c2d-8e3f-405162738495"]},
	  {"type": "network-traffic", "id": "network-traffic--2568d22a-8998-58eb-99ec-3c8ca74f527d",
	   "protocols": ["tcp"], "dst_ref": "ipv4-addr--a2b3c4d5-0a1b-5c2d-8e3f-405162738495"},
	  {"type": "ipv4-addr", "id": "ipv4-addr--a2b3c4d5-0a1b-5c2d-8e3f-405162738495", "value": "198.51.100.7"}]}`)
	result, err := pattern.Match(p, [][]byte{bundle}, pattern.Budget{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Outcome)
	for _, b := range result.Bindings {
		fmt.Println(b.ObservedData, b.Count)
	}
	// Output:
	// matched
	// observed-data--b67d30ff-02ac-498a-92f9-32f845f448cf 5
}
