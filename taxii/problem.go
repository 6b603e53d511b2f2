package taxii

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// problem is an error with its answer: the status code and the safe text that the caller is told. The inner error is for
// the log only. Handlers return problems or the contracts' errors; problemOf makes one of any error.
type problem struct {
	status      int
	title       string
	description string
	allow       string // the Allow header of a 405
	retryAfter  string // the Retry-After header, where it is not that of every 503
	err         error
}

func (p *problem) Error() string {
	text := p.title
	if p.description != "" {
		text += ": " + p.description
	}
	if p.err != nil {
		text += " (" + p.err.Error() + ")"
	}
	return text
}

func (p *problem) Unwrap() error { return p.err }

// refuse makes a problem with a description of fmt's form.
func refuse(status int, title, format string, args ...any) *problem {
	return &problem{status: status, title: title, description: fmt.Sprintf(format, args...)}
}

// because adds the inner error, for the log.
func (p *problem) because(err error) *problem {
	p.err = err
	return p
}

func badQuery(format string, args ...any) *problem {
	return refuse(http.StatusBadRequest, "Query not understood", format, args...)
}

// notFound is the one answer to what does not exist and to what the caller may not know of: they must not differ.
func notFound() *problem {
	return refuse(http.StatusNotFound, "Not found",
		"There is nothing at this address, or your account has no access to it.")
}

func forbidden(format string, args ...any) *problem {
	return refuse(http.StatusForbidden, "Not allowed", format, args...)
}

func tooLarge(limit int64) *problem {
	return refuse(http.StatusRequestEntityTooLarge, "Body too large",
		"A request body has at most %d octets, compressed and expanded; send the objects in several requests.", limit)
}

// problemOf returns the answer to an error: the problem in it, or that of the contract's error it wraps, or a 500.
func problemOf(err error) *problem {
	var p *problem
	var limit *LimitError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &limit):
		return limit.problem().because(err)
	case errors.Is(err, ErrNotFound):
		return notFound().because(err)
	case errors.Is(err, ErrUnauthenticated):
		return refuse(http.StatusUnauthorized, "Not authenticated",
			"Send the name and key of an account of this server by HTTP Basic, or the key as a Bearer token.").because(err)
	case errors.Is(err, ErrBacklog):
		return refuse(http.StatusTooManyRequests, "Too much is pending",
			"Your account has as many unfinished submissions as it may have; wait until the status of one is complete, or send smaller ones.").because(err)
	case errors.Is(err, ErrKeyReused):
		return refuse(http.StatusUnprocessableEntity, "Idempotency key used before",
			"Your account has sent another body to this collection under the same %s within a day; give each submission a key of its own. Nothing was stored.",
			IdempotencyHeader).because(err)
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuse(http.StatusServiceUnavailable, "Unavailable",
			"The server can't do this now; try again in some seconds.").because(err)
	}
	return refuse(http.StatusInternalServerError, "Internal error",
		"The server failed; its operator finds the reason in the log by the error_id.").because(err)
}

// quote shows what a client sent in a sentence: printable, in quotation marks, at most 60 characters.
func quote(s string) string {
	const most = 60
	tail := ""
	if len(s) > most {
		s, tail = s[:most], "…"
	}
	return fmt.Sprintf("%q%s", strings.ToValidUTF8(s, "\uFFFD"), tail)
}
