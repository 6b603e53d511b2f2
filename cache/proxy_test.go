package cache

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The faults of a proxy.
const (
	faultNone    int32 = iota
	faultSlow          // what the server says comes later than anybody waits
	faultGone          // connections end at once
	faultGarbage       // what the server says is something else
	faultAll           // each piece of what the server says meets one of the others, or none
)

// proxy stands between a client and a server and makes faults.
type proxy struct {
	listener net.Listener
	server   string
	fault    atomic.Int32

	mu    sync.Mutex
	conns map[net.Conn]bool // nil when it is closed
	wg    sync.WaitGroup
	ended chan struct{}
}

func newProxy(t *testing.T, server string, fault int32) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, server: server, conns: make(map[net.Conn]bool), ended: make(chan struct{})}
	p.fault.Store(fault)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		close(p.ended)
		l.Close()
		p.mu.Lock()
		for c := range p.conns {
			c.Close()
		}
		p.conns = nil
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		if !p.keep(c) {
			continue
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

// keep notes a connection to be closed at the end; false where that is now.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		c.Close()
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxy) drop(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *proxy) serve(client net.Conn) {
	defer p.drop(client)
	if p.fault.Load() == faultGone {
		return
	}
	server, err := net.Dial("tcp", p.server)
	if err != nil || !p.keep(server) {
		return
	}
	defer p.drop(server)
	p.wg.Go(func() {
		defer p.drop(server)
		_, _ = io.Copy(server, client)
	})
	random := rand.New(rand.NewPCG(1, uint64(client.RemoteAddr().(*net.TCPAddr).Port)))
	b := make([]byte, 32<<10)
	for {
		n, err := server.Read(b)
		if err != nil {
			return
		}
		fault := p.fault.Load()
		if fault == faultAll {
			fault = random.Int32N(faultAll)
		}
		switch fault {
		case faultGone:
			return
		case faultSlow:
			select {
			case <-time.After(2 * callBudget):
			case <-p.ended:
				return
			}
		case faultGarbage:
			for range 1 + random.IntN(4) {
				b[random.IntN(n)] = byte(random.Int())
			}
		}
		if _, err := client.Write(b[:n]); err != nil {
			return
		}
	}
}
