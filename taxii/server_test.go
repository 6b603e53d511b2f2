package taxii

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestSmoke(t *testing.T) {
	g := newRig(t)
	g.add(indicator(1, v1, ""), indicator(2, v1, ""))
	got := g.get(g.objects(""))
	g.want(got, http.StatusOK)
	if d := cmp.Diff([]string{entry(1, v1), entry(2, v1)}, ids(g, got)); d != "" {
		t.Error(d)
	}
}
