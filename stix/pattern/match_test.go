package pattern

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// matchBundle wraps objects into a bundle with one observed-data that lists all of them but those named hidden--….
func matchBundle(objects ...string) []byte {
	var refs []string
	for _, o := range objects {
		_, id, _ := strings.Cut(o, `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		if !strings.HasPrefix(id, "hidden--") {
			refs = append(refs, `"`+id+`"`)
		}
	}
	return []byte(`{"type":"bundle","objects":[{"type":"observed-data","id":"observed-data--1","number_observed":1,` +
		`"first_observed":"2020-01-01T00:00:00Z","last_observed":"2020-01-01T00:00:00Z","object_refs":[` + strings.Join(refs, ",") + `]},` +
		strings.Join(objects, ",") + `]}`)
}

func TestComparisons(t *testing.T) {
	bundle := matchBundle(
		`{"type":"x","id":"x--1","s":"abc","n":5,"f":1.5,"t":true,"time":"2020-01-01T00:00:00.10Z","list":[1,2,"abc",null],"o":{"k":1},"e":[],
		  "p_bin":"AP+A","q_hex":"00FF80","bad_hex":"0","u":"é","w":"€","r_ref":"x--2","r_refs":["x--2","hidden--1","x--9"],"nul":null,
		  "ip":"198.51.100.7","net":"198.51.100.9/25","ip6":"2001:db8::1","big":9007199254740993,"huge":1e400,"dict":{"a.b":1,"it's":2}}`,
		`{"type":"x","id":"x--2","name":"second","s":"zzz","r_ref":"x--1"}`,
		`{"type":"x","id":"hidden--1","name":"hidden"}`,
	)
	for text, want := range map[string]bool{
		"x:s = 'abc'": true, "x:s != 'abc' AND x:name = 'second'": true, "x:n = 5.0": true, "x:n > 4.9": true, "x:n = '5'": false, "x:n != '5'": true,
		"x:n NOT = '5'": true, "x:f = 1": false, "x:f > 1": true, "x:f < 2": true, "x:t = true": true, "x:t = 1": false, "x:t != false": true,
		"x:n = true": false, "x:s < 'abd'": true, "x:s < 'ab'": false, "x:s > 'ABC'": true,
		// Absent values: false whatever the operator.
		"x:none = 1": false, "x:none != 1": false, "x:none NOT = 1": false, "x:nul = 1": false, "x:nul NOT LIKE 'a'": false, "x:list[9] != 1": false,
		"EXISTS x:s": true, "EXISTS x:none": false, "EXISTS x:nul": false, "x:n = 5 AND NOT EXISTS x:name": true, "x:n = 5 AND NOT EXISTS x:s": false, "EXISTS x:e": true,
		// Times.
		"x:time = t'2020-01-01T00:00:00.1Z'": true, "x:time > t'2020-01-01T00:00:00.0999999999999Z'": true, "x:time = '2020-01-01T00:00:00.10Z'": true,
		"x:s = t'2020-01-01T00:00:00Z'": false, "x:s != t'2020-01-01T00:00:00Z'": true, "x:n < t'2020-01-01T00:00:00Z'": false,
		// Lists, dictionaries.
		"x:list[0] = 1": true, "x:list[*] = 2": true, "x:list[*] = 3": false, "x:list[*] NOT = 1": true, "x:list[3] = 1": false, "x:list = 1": false, "x:list != 1": true,
		"x:o.k = 1": true, "x:o = 1": false, "x:s[0] = 'a'": false, "x:s[*] = 'abc'": false, "x:e[*] = 1": false, "x:dict.'a.b' = 1": true, `x:dict.'it\'s' = 2`: true,
		// Sets.
		"x:n IN (1, 5)": true, "x:n IN ('5', '1')": false, "x:n NOT IN (1, 2)": true, "x:n NOT IN (5)": false, "x:f IN (1, 1.5)": true,
		// Octets.
		"x:p_bin = h'00ff80'": true, "x:q_hex = b'AP+A'": true, "x:p_bin = '\x00ÿ\u0080'": true, "x:p_bin = 'AP+A'": false, "x:p_bin > h'00ff7f'": true, "x:p_bin > h'00ff80'": false,
		"x:p_bin < h'00ff8000'": true, "x:p_bin = '€'": false, "x:p_bin != '€'": true, "x:p_bin < '€'": false, "x:p_bin = 1": false, "x:bad_hex = h'00'": false, "x:bad_hex != h'00'": true,
		"x:u = h'e9'": true, "x:w = h'ac'": false, "x:w != h'ac'": true, "x:w < h'ac'": false, "x:p_bin IN (h'01', h'00ff80')": true, "x:p_bin LIKE '_ÿ%'": true, "x:p_bin LIKE '€'": false,
		`x:p_bin MATCHES '^\\x00\\xff[^a]$'`: true, `x:p_bin MATCHES '[^€]'`: false,
		// LIKE.
		"x:s LIKE 'a%'": true, "x:s LIKE '%'": true, "x:s LIKE '_b_'": true, "x:s LIKE 'b'": false, "x:s LIKE '%c'": true, "x:s LIKE '%%a%%c%'": true, "x:s LIKE ''": false, "x:n LIKE '5'": false,
		"x:s NOT LIKE 'z%'": true, "x:n NOT LIKE '5'": true, "x:u LIKE 'e\u0301'": true, "x:u = 'e\u0301'": false, "x:w LIKE '_'": true,
		// References.
		"x:r_ref.name = 'second'": true, "x:r_ref = 'x--2'": true, "x:r_refs[*].name = 'second'": true, "x:r_refs[1].name = 'hidden'": false, "x:r_refs[*].name = 'hidden'": false,
		"x:r_ref.r_ref.r_ref.name = 'second'": true, "x:s.name = 'second'": false, "x:name = 'hidden'": false, "EXISTS x:r_refs[2]": true, "EXISTS x:r_refs[2].name": false,
		// One object satisfies all.
		"x:n = 5 AND x:name = 'second'": false, "x:n = 5 OR x:name = 'none'": true,
		// Networks.
		"x:ip ISSUBSET '198.51.100.0/24'": true, "x:ip ISSUBSET '198.51.100.7'": true, "x:ip ISSUBSET '198.51.100.8'": false, "x:net ISSUBSET '198.51.100.0/24'": true,
		"x:net ISSUBSET '198.51.100.0/26'": false, "x:net ISSUPERSET '198.51.100.64/26'": true, "x:net ISSUPERSET '198.51.100.77/25'": true, "x:net ISSUPERSET '198.51.100.0/24'": false,
		"x:ip6 ISSUBSET '2001:db8::/32'": true, "x:ip6 ISSUBSET '198.51.100.0/24'": false, "x:ip6 ISSUBSET '::/0'": true, "x:ip ISSUBSET '::/0'": false, "x:s ISSUBSET '0.0.0.0/0'": false,
		"x:s NOT ISSUBSET '0.0.0.0/0'": true,
		// Numbers beyond.
		"x:big > 9007199254740991": true, "x:huge > 1": false, "x:huge != 1": true,
		"y:s = 'abc'": false, "y:s != 'abc'": false, "NOT EXISTS y:s": false,
	} {
		p, err := Parse("[" + text + "]")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		r, err := Match(p, [][]byte{bundle}, Budget{})
		if err != nil {
			t.Fatal(err)
		}
		if (r.Outcome == Matched) != want || r.Outcome > Matched {
			t.Errorf("%s is %v, want %v", text, r.Outcome, want)
		}
	}
}

// TestDeprecatedObjects: the objects of an observed-data may stand inside it, referring to each other by key.
func TestDeprecatedObjects(t *testing.T) {
	bundle := []byte(`{"type":"bundle","objects":[{"type":"observed-data","id":"observed-data--1","number_observed":1,
		"first_observed":"2019-10-20T00:12:01Z","last_observed":"2019-10-20T00:51:02Z","objects":{
		"0":{"type":"network-traffic","src_ref":"1"},"1":{"type":"ipv4-addr","value":"203.0.113.10"},
		"2":{"type":"network-traffic","dst_ref":"3"},"3":{"type":"ipv4-addr","value":"198.51.100.58"}}}]}`)
	for text, want := range map[string]Outcome{
		"[network-traffic:src_ref.value = '203.0.113.10']":                                                                            Matched,
		"[network-traffic:src_ref.value = '203.0.113.10' AND network-traffic:dst_ref.value = '198.51.100.58']":                        NotMatched,
		"[network-traffic:src_ref.value = '203.0.113.10'] AND [network-traffic:dst_ref.value = '198.51.100.58']":                      NotMatched, // one observation
		"[network-traffic:src_ref.value = '203.0.113.10'] START t'2019-10-20T00:51:02Z' STOP t'2019-10-20T01:00:00Z'":                 Matched,
		"[network-traffic:src_ref.value = '203.0.113.10'] START t'2019-10-20T00:51:02.000000000000001Z' STOP t'2019-10-20T01:00:00Z'": NotMatched,
	} {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := Match(p, [][]byte{bundle}, Budget{}); err != nil || r.Outcome != want {
			t.Errorf("%s is %v, %v, want %v", text, r.Outcome, err, want)
		}
	}
}

func TestBindings(t *testing.T) {
	o := observationsAt(t, 4, 2)
	p, err := Parse("[a:b = 3] OR ([a:b < 2] REPEATS 3 TIMES FOLLOWEDBY [a:b = 2]) WITHIN 3 SECONDS AND [a:b = 7]")
	if err != nil {
		t.Fatal(err)
	}
	want := Result{Outcome: Matched, Bindings: []Binding{{Expression: 0, Observation: 3, ObservedData: "observed-data--3", Count: 1}}}
	if diff := cmp.Diff(want, p.Match(o, Budget{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p, err = Parse("([a:b < 2] REPEATS 3 TIMES FOLLOWEDBY [a:b = 2]) WITHIN 3 SECONDS")
	if err != nil {
		t.Fatal(err)
	}
	want.Bindings = []Binding{
		{Expression: 0, Observation: 0, ObservedData: "observed-data--0", Count: 2},
		{Expression: 0, Observation: 1, ObservedData: "observed-data--1", Count: 1},
		{Expression: 1, Observation: 2, ObservedData: "observed-data--2", Count: 1},
	}
	if diff := cmp.Diff(want, p.Match(o, Budget{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnreadableBundles(t *testing.T) {
	observed := func(members string) string {
		return `{"objects":[{"type":"observed-data","id":"observed-data--1",` + members + `}]}`
	}
	const times = `"first_observed":"2020-01-01T00:00:00Z","last_observed":"2020-01-01T00:00:01Z"`
	for name, c := range map[string]struct{ bundle, message string }{
		"nothing":       {"", "read bundle"},
		"no objects":    {`{"type":"bundle"}`, "no list named objects"},
		"duplicate":     {`{"objects":[],"objects":[]}`, "duplicate"},
		"trailing":      {`{"objects":[]} {}`, "follows"},
		"nested":        {`{"objects":` + strings.Repeat("[", 100_000), "nested deeper"},
		"surrogate":     {`{"objects":["\ud800"]}`, "read bundle"},
		"utf8":          {"{\"objects\":[\"\xff\"]}", "read bundle"},
		"no time":       {observed(`"number_observed":1`), "first_observed"},
		"bad time":      {observed(`"first_observed":"2020-01-01","last_observed":"2020-01-01T00:00:01Z"`), "first_observed"},
		"no last":       {observed(`"first_observed":"2020-01-01T00:00:00Z"`), "last_observed"},
		"backwards":     {observed(`"first_observed":"2020-01-01T00:00:01Z","last_observed":"2020-01-01T00:00:00Z"`), "earlier than"},
		"none observed": {observed(times + `,"number_observed":0`), "number_observed"},
		"a text":        {observed(times + `,"number_observed":"1"`), "number_observed"},
		"too many":      {observed(times + `,"number_observed":1000000000`), "number_observed"},
	} {
		var o Observations
		if err := o.AddBundle([]byte(c.bundle)); err == nil || !strings.Contains(err.Error(), c.message) || o.Len() != 0 {
			t.Errorf("%s: the error should speak of %q: %v", name, c.message, err)
		}
	}
}

func TestInstantArithmetic(t *testing.T) {
	at := func(second int64, fraction string) instant { return instant{second: second, fraction: fraction} }
	for _, c := range []struct {
		from instant
		by   duration
		to   instant
	}{
		{at(10, ""), duration{5, ""}, at(15, "")},
		{at(10, "5"), duration{0, "5"}, at(11, "")},
		{at(-1, "999999999999"), duration{0, "000000000001"}, at(0, "")},
		{at(0, "1"), duration{1, "000000000000000000000000000001"}, at(1, "100000000000000000000000000001")},
		{at(-62167219200, ""), duration{0, "25"}, at(-62167219200, "25")},
	} {
		if got := c.from.plus(c.by); got != c.to {
			t.Errorf("%v + %v = %v, want %v", c.from, c.by, got, c.to)
		}
		if got := c.to.minus(c.by); got != c.from {
			t.Errorf("%v - %v = %v, want %v", c.to, c.by, got, c.from)
		}
	}
}

// TestPossibleTimes: an observed-data over a while is observed at times of its own choosing, but only inside it.
func TestPossibleTimes(t *testing.T) {
	bundle := `{"objects":[{"type":"observed-data","id":"observed-data--1","number_observed":2,
		"first_observed":"2020-01-01T00:00:00Z","last_observed":"2020-01-01T00:00:01Z","object_refs":["a--1"]},
		{"type":"observed-data","id":"observed-data--2","number_observed":1,
		"first_observed":"2020-01-01T00:00:10Z","last_observed":"2020-01-01T00:00:20Z","object_refs":["a--2"]},
		{"type":"a","id":"a--1","b":1},{"type":"a","id":"a--2","b":2}]}`
	start := func(from, to string) string {
		return " START t'2020-01-01T00:00:" + from + "Z' STOP t'2020-01-01T00:00:" + to + "Z'"
	}
	for text, want := range map[string]Outcome{
		"[a:b = 1] FOLLOWEDBY [a:b = 1]":                                                           Matched,
		"[a:b = 1] FOLLOWEDBY [a:b = 1] FOLLOWEDBY [a:b = 1]":                                      NotMatched,
		"([a:b = 1] FOLLOWEDBY [a:b = 1])" + start("01", "05"):                                     Matched,
		"([a:b = 1] FOLLOWEDBY [a:b = 1])" + start("01.000001", "05"):                              NotMatched,
		"[a:b = 1] FOLLOWEDBY [a:b = 1]" + start("00", "00.5"):                                     Matched,
		"[a:b = 1]" + start("01", "02") + " FOLLOWEDBY [a:b = 1]" + start("00", "01"):              NotMatched,
		"[a:b = 2] FOLLOWEDBY [a:b = 1]":                                                           NotMatched,
		"([a:b = 1] AND [a:b = 2]) WITHIN 9 SECONDS":                                               NotMatched, // 9 seconds apart at least
		"([a:b = 1] AND [a:b = 2]) WITHIN 9.000000000000000000001 SECONDS":                         Matched,
		"([a:b = 1] AND [a:b = 1] AND [a:b = 2]) WITHIN 9.5 SECONDS":                               Matched,
		"([a:b = 1]" + start("00", "01") + " FOLLOWEDBY [a:b = 2]) WITHIN 9 SECONDS":               NotMatched,
		"([a:b = 1]" + start("00", "01") + " FOLLOWEDBY [a:b = 2]) WITHIN 9.1 SECONDS":             Matched,
		"(([a:b = 1] FOLLOWEDBY [a:b = 2]) WITHIN 10 SECONDS) AND [a:b = 1]" + start("00", "00.1"): Matched,
	} {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := Match(p, [][]byte{[]byte(bundle)}, Budget{}); err != nil || r.Outcome != want {
			t.Errorf("%s is %v, %v, want %v", text, r.Outcome, err, want)
		}
	}
}
