package taxii

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// smallResponse is the size in octets up to which a response is always sent: empty polls, single objects and errors
	// go out however much is being sent to others.
	smallResponse = 64 << 10
	// sendChunk is how many octets a client has Options.SendTimeout to take.
	sendChunk = 256 << 10
	// entryOctets is what an entry takes beside its bytes.
	entryOctets = 128
)

// body is that of a response: head, the objects of the entries with commas between them, tail. A page is sent from the
// bytes that the store gave, since a second copy would double what slow clients hold.
type body struct {
	head    []byte
	entries []Entry
	tail    []byte
}

// size is the length in octets.
func (b *body) size() int {
	size := len(b.head) + max(0, len(b.entries)-1) + len(b.tail)
	for _, e := range b.entries {
		size += len(e.Raw)
	}
	return size
}

// memory is what the body takes, in octets.
func (b *body) memory() int64 { return int64(b.size() + entryOctets*len(b.entries)) }

// writeTo writes the body in pieces of any size.
func (b *body) writeTo(w io.Writer) error {
	if _, err := w.Write(b.head); err != nil {
		return err
	}
	comma := []byte{','}
	for i, e := range b.entries {
		if i > 0 {
			if _, err := w.Write(comma); err != nil {
				return err
			}
		}
		if _, err := w.Write(e.Raw); err != nil {
			return err
		}
	}
	_, err := w.Write(b.tail)
	return err
}

// send writes the body to the client. An error means that the client has gone or is too slow, and that it got a part at
// most.
func (s *Server) send(w http.ResponseWriter, r *http.Request, b *body) error {
	size := b.size()
	if size > gatherFrom {
		if g := gathererOf(r.Context()); g != nil {
			g.Gather(size)
			defer g.Gather(0)
		}
	}
	if size <= smallResponse {
		return sendPieces(w, b, size)
	}
	p := &pacer{
		ResponseWriter: w, control: http.NewResponseController(w), start: time.Now(), timeout: s.opt.SendTimeout, rate: s.opt.MinSendRate,
	}
	if err := sendPieces(p, b, size); err != nil {
		return err
	}
	// The rest leaves under the deadline too. Without one behind it the connection is as the next request expects it.
	if err := p.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	_ = p.control.SetWriteDeadline(time.Time{})
	return nil
}

// sendPieces gathers small pieces: a write for each object would be slow.
func sendPieces(w io.Writer, b *body, size int) error {
	if len(b.entries)+len(b.tail) == 0 {
		_, err := w.Write(b.head)
		return err
	}
	buffer := bufio.NewWriterSize(w, min(size, sendChunk))
	if err := b.writeTo(buffer); err != nil {
		return err
	}
	return buffer.Flush()
}

// pacer sets the deadline of every piece before it is written: a client that stops is given up after the timeout, one
// that takes less than the rate on average not much later. Connections without deadlines go without.
type pacer struct {
	http.ResponseWriter
	control *http.ResponseController
	start   time.Time
	timeout time.Duration
	rate    int64 // octets per second
	sent    int64
}

func (p *pacer) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		_ = p.control.SetWriteDeadline(p.deadline(time.Now()))
		var m int
		m, err = p.ResponseWriter.Write(b[n:min(len(b), n+sendChunk)])
		n += m
		p.sent += int64(m)
	}
	return n, err
}

// deadline is that of the next piece.
func (p *pacer) deadline(now time.Time) time.Time {
	stopped := now.Add(p.timeout)
	slow := p.start.Add(p.timeout + time.Duration(p.sent)*time.Second/time.Duration(p.rate))
	if slow.Before(stopped) {
		return slow
	}
	return stopped
}
