package stix

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"testing"
)

// generatedBundle is a bundle of n indicators as an analyst's tool writes them, compact or indented.
func generatedBundle(n int, indent bool) []byte {
	var b bytes.Buffer
	b.WriteString(`{"type":"bundle","id":"bundle--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f","objects":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(generatedIndicator(i))
	}
	b.WriteString("]}")
	if !indent {
		return b.Bytes()
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b.Bytes(), "", "    "); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func generatedIndicator(i int) string {
	return fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"indicator--6b3f2d5c-6a1e-4d0b-9c1f-%012x",`+
		`"created_by_ref":"identity--311b2d2d-f010-4473-83ec-1edf84858f4c","created":"2026-01-02T03:04:05.678Z",`+
		`"modified":"2026-01-02T03:04:05.678Z","name":"Command and control server %d","description":"Seen in a campaign `+
		`against municipalities; block it at the resolver and report hits.","indicator_types":["malicious-activity"],`+
		`"pattern":"[domain-name:value = 'c2-%d.example.com']","pattern_type":"stix","valid_from":"2026-01-02T03:04:05Z",`+
		`"kill_chain_phases":[{"kill_chain_name":"lockheed-martin-cyber-kill-chain","phase_name":"command-and-control"}],`+
		`"object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],"confidence":85}`, i, i, i)
}

func benchmarkReader(b *testing.B, data []byte) {
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(bytes.NewReader(data), DefaultLimits())
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkReader(b *testing.B) {
	b.Run("compact", func(b *testing.B) { benchmarkReader(b, generatedBundle(10_000, false)) })
	b.Run("indented", func(b *testing.B) { benchmarkReader(b, generatedBundle(10_000, true)) })
	b.Run("attack", func(b *testing.B) {
		data, err := os.ReadFile(corpusPath(b, "attack/mobile-attack-17.1.json"))
		if err != nil {
			b.Fatal(err)
		}
		benchmarkReader(b, data)
	})
}

func BenchmarkParse(b *testing.B) {
	raw := []byte(generatedIndicator(1))
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(raw, DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	raw := []byte(generatedIndicator(1))
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, report := Check(raw, Options{}); !report.OK() || len(report.Warnings) > 0 {
			b.Fatal(report)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	o, err := Parse([]byte(generatedIndicator(1)), DefaultLimits())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(o.Raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.Digest(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckObservable(b *testing.B) {
	raw := []byte(`{"type":"domain-name","spec_version":"2.1","id":"domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7","value":"example.com"}`)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, report := Check(raw, Options{}); !report.OK() || len(report.Warnings) > 0 {
			b.Fatal(report)
		}
	}
}
