package stix

import (
	"strings"
	"testing"
)

func TestCheckObservables(t *testing.T) {
	const md5 = `"hashes":{"MD5":"00112233445566778899aabbccddeeff"}`
	file := func(members string) string { return observable("file", members) }
	traffic := func(members string) string {
		return observable("network-traffic", `"src_port":1,"dst_port":2`+comma(members))
	}
	reached := `"protocols":["tcp"],"dst_ref":"ipv4-addr` + testRef + `"`
	runChecks(t, []checkCase{
		{"artifact", observable("artifact", `"payload_bin":"AAECAw==","mime_type":"application/zip"`), nil, nil},
		{"artifact twice", observable("artifact", `"payload_bin":"AAE","url":"http://a.example/",`+md5), []string{"payload_bin binary 2.1", "exactly-one-of 6.1"}, nil},
		{"artifact at a url", observable("artifact", `"url":"a.example","decryption_key":"k","mime_type":"zip"`),
			[]string{"url url 6.1.1", "url needs-other 6.1.1", "decryption_key needs-other 6.1.1"}, []string{"mime_type mime-type 6.1.1"}},
		{"autonomous-system", observable("autonomous-system", `"number":"AS1"`), []string{"number wrong-type 2.10"}, nil},
		{"directory", observable("directory", `"path":"/","path_enc":"win dows","contains_refs":["file`+testRef+`"]`), []string{"path_enc charset 3.9.1"}, nil},
		{"domain-name", observable("domain-name", `"value":"a..example","resolves_to_refs":["mac-addr`+testRef+`"]`), []string{"resolves_to_refs[0] reference-type 6.4.1", "value value 6.4.1"}, nil},
		{"email-addr", observable("email-addr", `"value":"A <a@example.org>"`), []string{"value value 6.5.1"}, nil},
		{"email-message", observable("email-message", `"is_multipart":true,"body":"x","additional_header_fields":{"X-Mailer":"m","Reply-To":["a"]}`),
			[]string{"additional_header_fields.X-Mailer wrong-type 6.6.1", "body multipart 6.6.1"}, nil},
		{"email-message with an encoded subject", observable("email-message", `"is_multipart":false,"subject":"Re: =?utf-8?B?w6l0w6k=?="`), []string{"subject encoded-word 6.6"}, nil},
		{"email-message in parts", observable("email-message", `"is_multipart":false,"body_multipart":[{"content_type":"text/plain"},{"body_raw_ref":"artifact`+testRef+`"}]`),
			[]string{"body_multipart[0] needs-one-of 6.6.2", "body_multipart multipart 6.6.1"}, nil},
		{"file", file(`"size":0,` + md5), nil, nil},
		{"file of nothing", file(`"size":-1,"name_enc":"utf-8","mime_type":"bla"`), []string{"size range 2.10", "needs-one-of 6.7", "name_enc needs-other 3.1"}, []string{"mime_type mime-type 6.7.1"}},
		{"file with hex", file(`"name":"n","magic_number_hex":"ABCD"`), []string{"magic_number_hex hex 2.8"}, nil},
		{"file with half a byte", file(`"name":"n","magic_number_hex":"abc"`), []string{"magic_number_hex hex 2.8"}, nil},
		{"file with bad hashes", file(`"hashes":{"MD5":"x","SHA-256":1,"ab":"x","md5":"x","fun%":"x"}`),
			[]string{"hashes.MD5 hash-value 10.7", "hashes.SHA-256 wrong-type 2.7", "hashes.ab hash-key 2.7", "hashes.fun% hash-key 2.7"}, []string{"hashes.md5 open-vocabulary 2.7"}},
		{"file with no hashes", file(`"hashes":{}`), []string{"hashes empty-dictionary 2.7"}, nil},
		{"file with a hash", file(`"hashes":"x"`), []string{"hashes wrong-type 2.7"}, nil},
		{"file with a hash of 10 MB", file(`"hashes":{"MD5":"` + strings.Repeat("a", 5<<20) + `"}`), []string{"hashes.MD5 hash-value 10.7"}, nil},
		{"archive", file(`"name":"n","extensions":{"archive-ext":{"comment":"c"}}`), []string{"extensions.archive-ext missing-property 6.7.2"}, nil},
		{"PE binary", file(`"name":"n","extensions":{"windows-pebinary-ext":{"pe_type":"exe"}}`), []string{"extensions.windows-pebinary-ext needs-property 6.7.6"}, nil},
		{"PE binary in parts", file(`"name":"n","extensions":{"windows-pebinary-ext":{"pe_type":"elf","time_date_stamp":"2026-01-02T03:04:05.5Z","optional_header":{},"sections":[{"entropy":"x"}]}}`),
			[]string{"extensions.windows-pebinary-ext.optional_header needs-property 6.7.6", "extensions.windows-pebinary-ext.sections[0].entropy wrong-type 2.6",
				"extensions.windows-pebinary-ext.sections[0] missing-property 6.7.6", "extensions.windows-pebinary-ext.time_date_stamp timestamp-precision 6.7.6"},
			[]string{"extensions.windows-pebinary-ext.pe_type open-vocabulary 2.14"}},
		{"raster image", file(`"name":"n","extensions":{"raster-image-ext":{"exif_tags":{"Make":"x","XResolution":1,"a":1.5}}}`), []string{"extensions.raster-image-ext.exif_tags.a integer 2.10"}, nil},
		{"mac-addr", observable("mac-addr", `"value":"AA:BB:CC:DD:EE:FF"`), []string{"value value 6.10.1"}, nil},
		{"network-traffic", traffic(reached), nil, nil},
		{"network-traffic nowhere", traffic(`"protocols":[]`), []string{"protocols empty-list 2.12", "needs-one-of 6.12"}, nil},
		{"network-traffic without ports", observable("network-traffic", reached), nil, []string{"ports 6.12"}},
		{"network-traffic of a bad port", observable("network-traffic", `"src_port":0,"dst_port":65536,`+reached), []string{"dst_port range 2.10"}, nil},
		{"network-traffic that ended and goes on", traffic(reached + `,"is_active":true,"start":"2026-01-02T03:04:05Z","end":"2026-01-02T03:04:04Z"`),
			[]string{"end time-order 6.12.1", "end end-of-active 6.12.1"}, nil},
		{"network-traffic to a url", traffic(`"protocols":["tcp"],"src_ref":"url` + testRef + `","ipfix":{"a":1,"b":"c","d":true}`), []string{"src_ref reference-type 6.12.1", "ipfix.d wrong-type 2.10"}, nil},
		{"HTTP request", traffic(reached + `,"extensions":{"http-request-ext":{"request_method":"get","request_header":{"Host":"a"}}}`),
			[]string{"extensions.http-request-ext.request_header.Host wrong-type 6.12.2", "extensions.http-request-ext missing-property 6.12.2"}, nil},
		{"socket", traffic(reached + `,"extensions":{"socket-ext":{"address_family":"AF_X","options":{"SO_LINGER":1,"linger":"1"}}}`),
			[]string{"extensions.socket-ext.address_family vocabulary 2.4", "extensions.socket-ext.options.linger wrong-type 2.10"}, []string{"extensions.socket-ext.options.linger socket-option 6.12.4"}},
		{"process", observable("process", ""), []string{"needs-property 6.13"}, nil},
		{"process with a mark", observable("process", `"defanged":false`), []string{"needs-property 6.13"}, nil},
		{"process by extension", observable("process", `"extensions":{"windows-process-ext":{"priority":"HIGH","integrity_level":"top"}}`),
			[]string{"extensions.windows-process-ext.integrity_level vocabulary 2.4"}, []string{"extensions.windows-process-ext.priority priority-class 6.13.2"}},
		{"process with a deterministic id", strings.Replace(observable("process", `"pid":1`), testUUID, "6b3f2d5c-6a1e-5d0b-9c1f-0c8a4b1d2e3f", 1), nil, []string{"id id-version 6.13.1"}},
		{"software", observable("software", `"name":"n","cpe":"cpe:/a:b:c","languages":["en","x_y"]`), []string{"languages[1] language 3.2", "cpe cpe 6.14.1"}, nil},
		{"url", observable("url", `"value":"www.example.com"`), []string{"value url 6.15.1"}, nil},
		{"user-account", observable("user-account", ""), []string{"needs-property 6.16"}, nil},
		{"windows-registry-key", observable("windows-registry-key", `"key":"hklm\\Software","values":[{},{"data_type":"string"}]`),
			[]string{"values[0] needs-property 6.17.2", "values[1].data_type vocabulary 2.4", "key registry-hive 6.17.1"}, nil},
		{"windows-registry-key written out", observable("windows-registry-key", `"key":"hkey_local_machine\\Software","values":[{"name":""}]`), nil, nil},
		{"x509-certificate", observable("x509-certificate", `"x509_v3_extensions":{}`), []string{"x509_v3_extensions needs-property 6.18.2"}, nil},
		{"labels on an observable", observable("mutex", `"name":"m","labels":["a"],"created_by_ref":"`+testIdentity+`"`), []string{"labels not-applicable 3.2", "created_by_ref not-applicable 3.2"}, nil},
		{"deterministic id of nothing that contributes", strings.Replace(observable("file", `"size":1`), testUUID, "6b3f2d5c-6a1e-5d0b-9c1f-0c8a4b1d2e3f", 1),
			[]string{"needs-one-of 6.7", "id id-version 2.9"}, nil},
	})
}

func TestCheckObservableID(t *testing.T) {
	id, err := DeterministicIdentifier([]byte(observable("mutex", `"name":"m"`)))
	if err != nil {
		t.Fatal(err)
	}
	for raw, warnings := range map[string]int{
		`{"type":"mutex","id":"` + string(id) + `","name":"m"}`:                        0,
		`{"type":"mutex","id":"mutex--` + strings.ToUpper(id.UUID()) + `","name":"m"}`: 0,
		`{"type":"mutex","id":"` + string(id) + `","name":"other"}`:                    1,
		observable("mutex", `"name":"m"`):                                              1,
	} {
		if _, report := Check([]byte(raw), Options{}); !report.OK() || len(report.Warnings) != warnings {
			t.Errorf("%s: %v, %v; want %d warnings", raw, report.Errors, report.Warnings, warnings)
		}
	}
}
