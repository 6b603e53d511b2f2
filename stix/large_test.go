package stix_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/stix"
)

// indicatorPatterns are what indicators say, in the shares in which feeds have them: mostly one value.
var indicatorPatterns = []string{
	"[domain-name:value = 'c2-%d.example.com']",
	"[ipv4-addr:value = '198.51.100.%d']",
	"[url:value = 'https://www.example.com/a/path/%d?with=query']",
	"[file:hashes.'SHA-256' = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccd%07x']",
	"[file:hashes.MD5 = 'd41d8cd98f00b204e9800998%08x' OR file:hashes.'SHA-1' = 'da39a3ee5e6b4b0d3255bfef95601890afd80709' OR " +
		"file:hashes.'SHA-256' = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855']",
	"([network-traffic:dst_ref.value = '198.51.100.7'] FOLLOWEDBY [process:name = 'evil-%d.exe' AND process:pid > 4]) WITHIN 300 SECONDS",
	"[domain-name:value = 'a-%d.example.net'] START t'2026-01-02T03:04:05Z' STOP t'2026-03-02T03:04:05Z'",
}

// indicatorWithPattern is the generated indicator of a number with one of the patterns.
func indicatorWithPattern(i int) []byte {
	text := fmt.Sprintf(indicatorPatterns[i%len(indicatorPatterns)], i%256)
	old := fmt.Sprintf("[domain-name:value = 'c2-%d.example.com']", i)
	return bytes.Replace([]byte(stix.GeneratedIndicator(i)), []byte(old), []byte(text), 1)
}

// BenchmarkCheckIndicators validates indicators with their patterns, as a server does with all that it stores.
func BenchmarkCheckIndicators(b *testing.B) {
	const count = 7 * 128
	var objects [][]byte
	size := 0
	for i := range count {
		objects = append(objects, indicatorWithPattern(i))
		size += len(objects[i])
	}
	options := withPatterns()
	b.SetBytes(int64(size / count))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, report := stix.Check(objects[i%count], options); !report.OK() || len(report.Warnings) > 0 {
			b.Fatal(report)
		}
		i++
	}
}

// BenchmarkReadAndCheck splits a bundle of 10,000 indicators and validates each.
func BenchmarkReadAndCheck(b *testing.B) {
	var bundle bytes.Buffer
	writeBundle(b, &bundle, 10_000, 1<<62)
	options := withPatterns()
	b.SetBytes(int64(bundle.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if n := readAndCheck(b, bytes.NewReader(bundle.Bytes()), options, nil); n != 10_000 {
			b.Fatalf("%d objects", n)
		}
	}
}

// writeBundle writes a bundle of up to count indicators and about size bytes.
func writeBundle(t testing.TB, out io.Writer, count int, size int64) (objects int) {
	t.Helper()
	write := func(text []byte) {
		n, err := out.Write(text)
		if err != nil {
			t.Fatal(err)
		}
		size -= int64(n)
	}
	write([]byte(`{"type":"bundle","id":"bundle--6b3f2d5c-6a1e-4d0b-9c1f-0c8a4b1d2e3f","objects":[`))
	for ; objects < count && size > 0; objects++ {
		if objects > 0 {
			write([]byte(",\n"))
		}
		write(indicatorWithPattern(objects))
	}
	write([]byte("]}\n"))
	return objects
}

// readAndCheck validates every object of an input and returns their number; progress, if there is one, is called for each.
func readAndCheck(t testing.TB, in io.Reader, options stix.Options, progress func(objects int)) int {
	t.Helper()
	r := stix.NewReader(in, stix.DefaultLimits())
	for objects := 0; ; objects++ {
		raw, err := r.Next()
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, report := stix.Check(raw, options); !report.OK() {
			t.Fatalf("object %d: %v", objects, report.Errors)
		}
		if progress != nil {
			progress(objects)
		}
	}
}

// A bundle of 1 GB is read and validated from disk in less than 64 MB of heap. The file needs as much space, so the test
// runs only when it is asked for.
func TestLargeBundle(t *testing.T) {
	if os.Getenv("SKJOLD_TEST_LARGE") != "1" {
		t.Skip("this test writes a file of 1 GB; set SKJOLD_TEST_LARGE=1 to run it")
	}
	const size, heapLimit = 1 << 30, 64 << 20
	file, err := os.Create(filepath.Join(t.TempDir(), "large.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out := bufio.NewWriterSize(file, 1<<20)
	written := writeBundle(t, out, 1<<30, size)
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil || info.Size() < size {
		t.Fatalf("%v, %v", info, err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}

	// Heap in use, garbage that is not yet collected and free spans included.
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	peak := uint64(0)
	begun := time.Now()
	read := readAndCheck(t, file, withPatterns(), func(objects int) {
		if objects%64 == 0 {
			metrics.Read(samples)
			peak = max(peak, samples[0].Value.Uint64()+samples[1].Value.Uint64())
		}
	})
	seconds := time.Since(begun).Seconds()
	if read != written {
		t.Errorf("%d objects were written, %d read", written, read)
	}
	t.Logf("%d bytes, %d objects, %.1f s (%.0f MB/s), peak heap %.1f MB", info.Size(), read, seconds,
		float64(info.Size())/seconds/1e6, float64(peak)/(1<<20))
	if peak > heapLimit {
		t.Errorf("the heap grew to %d bytes", peak)
	}
}
