package federation

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
)

// maxHashes is how many hashes one answer has.
const maxHashes = 5000

// recordMediaType is that of a record that is a compact token (RFC 7515 §9.2.1); others are JSON.
const recordMediaType = "application/jose"

// records answers with the hashes of the records in ascending order, those after the parameter after, at most 5,000: what
// another node compares with its own.
func (e *Endpoints) records(w http.ResponseWriter, r *http.Request) error {
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	ledger, err := e.ledger()
	if err != nil {
		return err
	}
	hashes := ledger.Hashes()
	if query.Has("after") {
		text, err := single(query, "after")
		if err != nil {
			return err
		}
		after, err := ParseHash(text)
		if err != nil {
			return invalidRequest("the parameter after: %v", err)
		}
		i, found := slices.BinarySearch(hashes, after)
		if found {
			i++
		}
		hashes = hashes[i:]
	}
	body, err := json.Marshal(hashes[:min(len(hashes), maxHashes)])
	if err != nil {
		return err
	}
	etag := recordsTag(body)
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.Header().Set("Cache-Control", "no-cache")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	writeBody(w, http.StatusOK, "application/json", "no-cache", body)
	return nil
}

// ledger returns the records, or the answer while there are none.
func (e *Endpoints) ledger() (*Ledger, error) {
	if l := e.options.Ledger(); l != nil {
		return l, nil
	}
	return nil, &EndpointError{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Description: "this node has no records yet"}
}

// record answers with a record by its hash. It never changes: whoever has it need not ask again.
func (e *Endpoints) record(w http.ResponseWriter, r *http.Request) error {
	return e.writeRecord(w, r, func([]byte) bool { return true })
}

// decision answers with a record if it is a decision.
func (e *Endpoints) decision(w http.ResponseWriter, r *http.Request) error {
	return e.writeRecord(w, r, func(record []byte) bool { return record[0] == '{' })
}

func (e *Endpoints) writeRecord(w http.ResponseWriter, r *http.Request, wanted func(record []byte) bool) error {
	hash, err := ParseHash(r.PathValue("hash"))
	if err != nil {
		return notFound("there is no such record")
	}
	ledger, err := e.ledger()
	if err != nil {
		return err
	}
	record, err := ledger.Record(hash)
	if errors.Is(err, ErrUnknownRecord) || err == nil && !wanted(record) {
		return notFound("there is no such record")
	}
	if err != nil {
		return err
	}
	etag := `"` + string(hash) + `"`
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	mediaType := "application/json"
	if record[0] != '{' && record[0] != '[' {
		mediaType = recordMediaType
	}
	writeBody(w, http.StatusOK, mediaType, "public, max-age=31536000, immutable", record)
	return nil
}
