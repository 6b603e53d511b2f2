package federation

import "net/http"

// RevocationsMediaType is the media type of revocation lists.
const RevocationsMediaType = "application/" + revocationType

// revocations answers with the newest list of the anchor that the parameter iss names, or of this node where it is missing.
// A list proves itself: a node hands on those of the anchors, so that all members need not ask the anchor.
func (e *Endpoints) revocations(w http.ResponseWriter, r *http.Request) error {
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	anchor := e.options.Entity
	if query.Has("iss") {
		if anchor, err = entityParameter(query, "iss"); err != nil {
			return err
		}
	}
	list := e.options.Revocations(anchor)
	if list == nil {
		return notFound("this node holds no revocation list of %s", anchor)
	}
	etag := `"` + string(list.Hash()) + `"`
	h := w.Header()
	h.Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		h.Set("Cache-Control", "no-cache")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	writeBody(w, http.StatusOK, RevocationsMediaType, "no-cache", []byte(list.Compact()))
	return nil
}
