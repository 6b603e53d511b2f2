package pattern

import "testing"

var benchmarkPatterns = map[string]string{
	"address": "[ipv4-addr:value = '198.51.100.7']",
	"domain":  "[domain-name:value = 'login.example.com']",
	"url":     "[url:value = 'https://example.com/a/path?with=query']",
	"hash":    "[file:hashes.'SHA-256' = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f']",
	"hashes": "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e' OR file:hashes.'SHA-1' = 'da39a3ee5e6b4b0d3255bfef95601890afd80709'" +
		" OR file:hashes.'SHA-256' = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855']",
	"sequence": "([network-traffic:dst_ref.value = '198.51.100.7'] FOLLOWEDBY [process:name = 'evil.exe' AND process:pid > 4]) WITHIN 300 SECONDS",
}

func BenchmarkParse(b *testing.B) {
	for name, text := range benchmarkPatterns {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFingerprint(b *testing.B) {
	for name, text := range benchmarkPatterns {
		b.Run(name, func(b *testing.B) {
			p, err := Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				p.Fingerprint()
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	o := observationsAt(b, 1000, 1)
	for name, text := range map[string]string{
		"one":      "[a:b = 999]",
		"repeats":  "[a:b > 10] REPEATS 50 TIMES WITHIN 60 SECONDS",
		"sequence": "([a:b = 10] FOLLOWEDBY [a:b > 500] FOLLOWEDBY [a:b = 999]) WITHIN 1000 SECONDS",
	} {
		b.Run(name, func(b *testing.B) {
			p, err := Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if r := p.Match(o, Budget{}); r.Outcome != Matched {
					b.Fatal(r)
				}
			}
		})
	}
}
