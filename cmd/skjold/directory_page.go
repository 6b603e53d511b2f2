package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/taxii"
)

//go:embed directory_page.html
var directoryText string

var directoryTemplate = template.Must(template.New("directory").Funcs(directoryWords(&federation.Directory{})).Parse(directoryText))

// directoryWords are the functions of the page about a directory.
func directoryWords(d *federation.Directory) template.FuncMap {
	return template.FuncMap{
		"style":   taxii.PageStyle,
		"day":     func(t time.Time) string { return t.UTC().Format("2 January 2006") },
		"minute":  func(t time.Time) string { return t.UTC().Format("2 January 2006 15:04 UTC") },
		"title":   func(word any) string { text := fmt.Sprint(word); return strings.ToUpper(text[:1]) + text[1:] },
		"counted": counted[int],
		"nameOf":  d.NameOf, "decision": d.Decision,
	}
}

// mountDirectory serves the directory of the federation as a page and as JSON. It is public within the federation: to
// accounts and peers of this node, and not to strangers.
func (n *node) mountDirectory(r chi.Router) {
	r.Get("/federation", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "federation/") // relative: a proxy may serve the node below a path of its own
		w.WriteHeader(http.StatusSeeOther)
	})
	r.Get("/federation/", n.directory(writeDirectoryPage))
	r.Get("/federation/directory.json", n.directory(func(w http.ResponseWriter, d *federation.Directory) error {
		text, err := json.Marshal(d)
		if err != nil {
			return err
		}
		writeWhole(w, "application/json", text)
		return nil
	}))
}

// directory answers with the directory of now, once the caller is known.
func (n *node) directory(write func(http.ResponseWriter, *federation.Directory) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, err := n.auth.Authenticate(r)
		var limit *taxii.LimitError
		switch {
		case errors.As(err, &limit):
			w.Header().Set("Retry-After", limit.RetryAfter())
			plain(w, http.StatusTooManyRequests, "too many requests without valid credentials; try again later")
			return
		case err != nil:
			w.Header().Set("WWW-Authenticate", `Basic realm="skjold"`)
			plain(w, http.StatusUnauthorized, "the directory is for accounts of this node and for members of the federation")
			return
		}
		ledger := n.members.current()
		if ledger == nil {
			plain(w, http.StatusServiceUnavailable, "the federation's records can't be read; the operator's log says why")
			return
		}
		d, err := ledger.Directory(time.Now())
		if errors.Is(err, federation.ErrUnknownRecord) {
			plain(w, http.StatusNotFound, "this node has no charter yet; its operator imports it")
			return
		}
		if err == nil {
			err = write(w, d)
		}
		if err != nil {
			n.log.Error("the directory can't be written", "error", err)
			plain(w, http.StatusInternalServerError, "the directory can't be written; the operator's log says why")
		}
	}
}

func writeDirectoryPage(w http.ResponseWriter, d *federation.Directory) error {
	page, err := directoryTemplate.Clone()
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := page.Funcs(directoryWords(d)).Execute(&text, d); err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", taxii.PagePolicy())
	w.Header().Set("Referrer-Policy", "no-referrer")
	writeWhole(w, taxii.HTMLMediaType, text.Bytes())
	return nil
}

func writeWhole(w http.ResponseWriter, mediaType string, text []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // the caller may be gone; nobody is left to tell
}
