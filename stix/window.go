package stix

import (
	"bytes"
	"fmt"
	"io"
)

// window is the part of an input that is held in memory: buf[pos:] is not yet consumed.
type window struct {
	in        io.Reader
	buf       []byte
	pos       int
	err       error // what in ended with, io.EOF at its proper end
	base      int64 // offset in the input of buf[0]
	lines     int   // newlines before buf[0]
	lineStart int64 // offset in the input of the line that buf[0] is on
}

const windowSize = 64 << 10

func newWindow(in io.Reader) window {
	return window{in: in, buf: make([]byte, 0, windowSize)}
}

func (w *window) rest() []byte  { return w.buf[w.pos:] }
func (w *window) ended() bool   { return w.err != nil }
func (w *window) offset() int64 { return w.base + int64(w.pos) }

// fill reads more behind what is held. It returns false when there is no more; w.err then says why.
func (w *window) fill() bool {
	if w.err != nil {
		return false
	}
	if room := cap(w.buf) - len(w.buf); room == 0 || room < cap(w.buf)/4 && w.pos >= cap(w.buf)/2 {
		w.makeRoom()
	}
	for range 100 {
		n, err := w.in.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		w.err = err
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	w.err = io.ErrNoProgress
	return false
}

// makeRoom drops what is consumed, or doubles the buffer where less than half of it is.
func (w *window) makeRoom() {
	gone := w.buf[:w.pos]
	if n := bytes.Count(gone, []byte{'\n'}); n > 0 {
		w.lines += n
		w.lineStart = w.base + int64(bytes.LastIndexByte(gone, '\n')) + 1
	}
	w.base += int64(w.pos)
	target := w.buf[:0]
	if w.pos < cap(w.buf)/2 {
		target = make([]byte, 0, 2*cap(w.buf))
	}
	w.buf = append(target, w.buf[w.pos:]...)
	w.pos = 0
}

// syntaxError is a SyntaxError at a distance from the first unconsumed byte, or the reading error that cut the input.
func (w *window) syntaxError(at int, reason string) error {
	return w.jsonError(at, &jsonError{faultSyntax, 0, reason})
}

// jsonError is syntaxError for a fault of JSON at a distance from the first unconsumed byte; that at the end of the input is
// that the input ends early.
func (w *window) jsonError(at int, fault *jsonError) error {
	at += fault.offset
	if w.pos+at >= len(w.buf) && w.err != nil && w.err != io.EOF {
		return fmt.Errorf("reading the input failed after %d bytes: %w", w.base+int64(len(w.buf)), w.err)
	}
	before := w.buf[:min(w.pos+at, len(w.buf))]
	e := &SyntaxError{Offset: w.base + int64(len(before)), Line: w.lines + 1, Reason: fault.reason, Rule: fault.rule()}
	if fault.fault == faultSyntax && w.pos+at >= len(w.buf) && w.err == io.EOF {
		e.Rule = (&jsonError{fault: faultTruncated}).rule()
		if e.Reason != endsEarly {
			e.Reason = "the input ends early; " + e.Reason
		}
	}
	start := w.lineStart
	if n := bytes.Count(before, []byte{'\n'}); n > 0 {
		e.Line += n
		start = w.base + int64(bytes.LastIndexByte(before, '\n')) + 1
	}
	e.Column = int(e.Offset-start) + 1
	return e
}

// extent finds the end of a JSON value by its brackets and quotes alone, in pieces of any size and in constant memory.
type extent struct {
	depth    int
	started  bool
	scalar   bool
	inString bool
	escaped  bool
}

// scan goes over b, the next bytes of the value. It returns how many belong to the value, and whether it is complete.
func (e *extent) scan(b []byte) (n int, done bool) {
	if !e.started && len(b) > 0 {
		e.started = true
		e.scalar = b[0] != '{' && b[0] != '[' && b[0] != '"'
	}
	for i, c := range b {
		switch {
		case e.scalar:
			if isSpace(c) || c == ',' || c == ']' || c == '}' {
				return i, true
			}
		case e.escaped:
			e.escaped = false
		case e.inString && c == '\\':
			e.escaped = true
		case c == '"':
			e.inString = !e.inString
			if !e.inString && e.depth == 0 {
				return i + 1, true
			}
		case e.inString:
		case c == '{' || c == '[':
			e.depth++
		case c == '}' || c == ']':
			e.depth--
			if e.depth <= 0 {
				return i + 1, true
			}
		}
	}
	return len(b), false
}
