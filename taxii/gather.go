package taxii

import (
	"context"
	"net"
)

// Gatherer is a connection that can send what it is given in several pieces as one. net/http writes a response as the
// content of its buffer and then what did not fit into it, which would be two calls of the system and two packets at least.
type Gatherer interface {
	// Gather announces that so many octets of a body are written next, so that a shorter piece is not the last and may wait
	// for the following one; 0 takes it back for what was not begun.
	Gather(octets int)
}

// gatherFrom is the size in octets from which a body does not fit into the buffer of net/http, whatever its header takes.
const gatherFrom = 4 << 10

type gathererKey struct{}

// ConnContext is for http.Server: it lets the responses of a Server know a connection that is a Gatherer.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if g, ok := c.(Gatherer); ok {
		return context.WithValue(ctx, gathererKey{}, g)
	}
	return ctx
}

// gathererOf is the request's connection, if that is one.
func gathererOf(ctx context.Context) Gatherer {
	g, _ := ctx.Value(gathererKey{}).(Gatherer)
	return g
}
