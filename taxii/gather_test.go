package taxii

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// announced is a connection that notes what is announced to it.
type announced struct {
	net.Conn
	mu     sync.Mutex
	octets []int
}

func (a *announced) Gather(octets int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.octets = append(a.octets, octets)
}

// TestGather holds that a body is announced to the connection if it does not fit into net/http's buffer, and taken back after
// it was written.
func TestGather(t *testing.T) {
	g := newRig(t)
	g.add(large(1, 10_000))
	length := len(g.get(g.objects("")).body)
	tests := []struct {
		name string
		edit edit
		path string
		want []int
	}{
		{"a page", header("Accept-Encoding", "identity"), g.objects(""), []int{length, 0}},
		{"compressed to less than the buffer", header("Accept-Encoding", "gzip"), g.objects(""), nil},
		{"the header of a page", func(r *http.Request) { r.Method = http.MethodHead }, g.objects(""), nil},
		{"nothing new", func(*http.Request) {}, g.objects("?added_after=2100-01-01T00:00:00Z"), nil},
		{"an error", func(*http.Request) {}, g.objects("?limit=0"), nil},
	}
	for _, tt := range tests {
		c := &announced{}
		g.get(tt.path, tt.edit, func(r *http.Request) { *r = *r.WithContext(ConnContext(r.Context(), c)) })
		if !slices.Equal(c.octets, tt.want) {
			t.Errorf("%s: announced %d, want %d", tt.name, c.octets, tt.want)
		}
	}
	if ctx := context.Background(); ConnContext(ctx, &net.TCPConn{}) != ctx {
		t.Error("a connection that gathers nothing is kept in the context")
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/taxii2/", nil)) // no connection at all
	if w.Code != http.StatusUnauthorized {
		t.Errorf("status %d", w.Code)
	}
}
