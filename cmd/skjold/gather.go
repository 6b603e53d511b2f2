package main

import (
	"net"
	"sync"

	"github.com/skjold-exchange/skjold/taxii"
)

// gathering is a listener for plain HTTP whose connections send a response's header and body in one call of the system.
type gathering struct{ net.Listener }

// Accept implements net.Listener.
func (l gathering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok && err == nil {
		return &gatheringConn{Conn: tcp, tcp: tcp}, nil
	}
	return c, err
}

// gatherPiece is the size of net/http's buffer of a connection in octets: pieces of another size are not held back.
const gatherPiece = 4 << 10

// gatherPieces is memory for pieces that are held back, each for the moment until the next one comes.
var gatherPieces = sync.Pool{New: func() any { return new([gatherPiece]byte) }}

// gatheringConn is a taxii.Gatherer. A piece is held back only where another is certain to follow: what was announced is
// more than it. Who then breaks the response off closes the connection, as net/http does.
type gatheringConn struct {
	net.Conn // for what is not here; not the TCPConn, which has ways around Write
	tcp      *net.TCPConn

	mu        sync.Mutex
	announced int
	held      *[gatherPiece]byte // nil for none
	both      [2][]byte
	buffers   net.Buffers
}

var _ taxii.Gatherer = (*gatheringConn)(nil)

// Gather implements taxii.Gatherer.
func (c *gatheringConn) Gather(octets int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.announced = octets
}

// Write implements net.Conn.
func (c *gatheringConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held != nil {
		return c.writeBoth(p)
	}
	if len(p) == gatherPiece && len(p) < c.announced {
		c.announced = 0
		c.held = gatherPieces.Get().(*[gatherPiece]byte)
		return copy(c.held[:], p), nil
	}
	return c.tcp.Write(p)
}

// writeBoth writes the piece that was held back and p. c.mu is held, so that no other write comes between.
func (c *gatheringConn) writeBoth(p []byte) (int, error) {
	c.both = [2][]byte{c.held[:], p}
	c.buffers = c.both[:]
	n, err := c.buffers.WriteTo(c.tcp)
	gatherPieces.Put(c.held)
	c.held, c.both = nil, [2][]byte{}
	return int(max(0, n-gatherPiece)), err
}

// CloseWrite is how net/http says that nothing more comes.
func (c *gatheringConn) CloseWrite() error { return c.tcp.CloseWrite() }
