package stix

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readAll reads an input to its end: the objects, the elements refused, and the final error, nil for io.EOF.
func readAll(r *Reader) (objects []string, refused []*ElementError, err error) {
	for {
		raw, err := r.Next()
		var element *ElementError
		switch {
		case err == nil:
			objects = append(objects, string(raw))
		case errors.As(err, &element):
			refused = append(refused, element)
		case err == io.EOF:
			return objects, refused, nil
		default:
			return objects, refused, err
		}
	}
}

func TestReaderCorpus(t *testing.T) {
	for _, file := range corpusBundles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var bundle struct {
				ID      string
				Objects []json.RawMessage
			}
			if err := json.Unmarshal(data, &bundle); err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, object := range bundle.Objects {
				var b bytes.Buffer
				if err := json.Compact(&b, object); err != nil {
					t.Fatal(err)
				}
				want = append(want, b.String())
			}
			for name, in := range map[string]io.Reader{
				"whole":  bytes.NewReader(data),
				"pieces": iotest.HalfReader(bytes.NewReader(data)),
			} {
				r := NewReader(in, DefaultLimits())
				got, refused, err := readAll(r)
				if err != nil || len(refused) > 0 {
					t.Fatalf("%s: %v, %v", name, err, refused)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%s: objects differ (-want +got):\n%s", name, diff)
				}
				if r.Container() != ContainerBundle || string(r.BundleID()) != bundle.ID {
					t.Errorf("%s: container %v, id %q, want a bundle %q", name, r.Container(), r.BundleID(), bundle.ID)
				}
			}
		})
	}
}
