package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// gatheringPair is a connection of the listener and its other end.
func gatheringPair(t *testing.T) (*gatheringConn, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	c, err := gathering{ln}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = client.SetDeadline(time.Now().Add(30 * time.Second))
	return c.(*gatheringConn), client
}

// TestGatheringHoldsBackOnePiece holds that a piece waits only if another is certain to come.
func TestGatheringHoldsBackOnePiece(t *testing.T) {
	tests := []struct {
		name      string
		announced int
		piece     int
		held      bool
	}{
		{"nothing is announced", 0, gatherPiece, false},
		{"more is announced", gatherPiece + 1, gatherPiece, true},
		{"it may be all", gatherPiece, gatherPiece, false},
		{"a piece that is not the whole buffer", 100_000, gatherPiece - 1, false},
		{"a piece beyond the buffer", 100_000, gatherPiece + 1, false},
	}
	for _, tt := range tests {
		c, client := gatheringPair(t)
		piece, rest := bytes.Repeat([]byte("p"), tt.piece), []byte("the rest")
		c.Gather(tt.announced)
		n, err := c.Write(piece)
		if n != len(piece) || err != nil || (c.held != nil) != tt.held {
			t.Errorf("%s: %d written, %v, held back %t", tt.name, n, err, c.held != nil)
		}
		c.Gather(0)
		if n, err := c.Write(rest); n != len(rest) || err != nil || c.held != nil {
			t.Errorf("%s: %d written then, %v, held back %t", tt.name, n, err, c.held != nil)
		}
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(client); err != nil || string(got) != string(piece)+string(rest) {
			t.Errorf("%s: %d octets came, %v", tt.name, len(got), err)
		}
	}
}

// TestGatheringAnnouncementIsForOne holds that what was announced and not begun does not hold back what follows.
func TestGatheringAnnouncementIsForOne(t *testing.T) {
	c, _ := gatheringPair(t)
	c.Gather(100_000)
	c.Gather(0)
	if _, err := c.Write(make([]byte, gatherPiece)); err != nil || c.held != nil {
		t.Errorf("%v, held back %t", err, c.held != nil)
	}
}

// TestGatheringTellsThatTheClientHasGone holds that the second piece fails where the client does not take the first.
func TestGatheringTellsThatTheClientHasGone(t *testing.T) {
	c, _ := gatheringPair(t)
	if err := c.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	c.Gather(100_000)
	if _, err := c.Write(make([]byte, gatherPiece)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if n, err := c.Write([]byte("rest")); n != 0 || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%d written, %v", n, err)
	}
}

// TestGatheringServer asks for bodies of many sizes over one connection and holds that they come as they are, whether they
// were announced or not.
func TestGatheringServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 1<<20)
	for i := range body {
		body[i] = byte('a' + i%23)
	}
	type connKey struct{}
	held := 0 // responses of which a piece waited for net/http's last write
	s := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := r.Context().Value(connKey{}).(*gatheringConn)
			size, _ := strconv.Atoi(r.URL.Query().Get("size"))
			if size > gatherPiece {
				c.Gather(size)
				defer c.Gather(0)
			}
			w.Header().Set("Content-Length", strconv.Itoa(size))
			_, _ = w.Write(body[:size])
			if c.held != nil {
				held++
			}
		}),
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(gathering{ln}) }()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	rng := rand.New(rand.NewPCG(1, 1))
	sizes := []int{0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 4098, 8191, 8192, 8193, 65536, 1 << 20}
	for range 200 {
		sizes = append(sizes, rng.IntN(12_000))
	}
	for _, size := range sizes {
		fmt.Fprintf(c, "GET /?size=%d HTTP/1.1\r\nHost: a\r\n\r\n", size)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%d octets: %v", size, err)
		}
		if got, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(got, body[:size]) {
			t.Fatalf("%d octets: %d came, %v", size, len(got), err)
		}
	}
	c.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-ended
	if held == 0 {
		t.Error("nothing was ever held back until the end of a response")
	}
}
