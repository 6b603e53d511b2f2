package taxii

import (
	"net/http"
	"strconv"
)

// Starting answers every request with a 503 and an error message (§3.6.1): for a node that can't make a Server yet. Nobody is
// authenticated, and nothing of the request is read but its method.
func Starting() http.Handler {
	const status = http.StatusServiceUnavailable
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := encodeJSON(Error{
			Title: "Starting", Description: "The server is starting; try again in some seconds.",
			ErrorID: newRequestID(), HTTPStatus: strconv.Itoa(status),
		})
		if err != nil { // an Error can always be encoded
			text = nil
		}
		h := w.Header()
		setCommonHeaders(h)
		h.Set("Content-Type", MediaType)
		h.Set("Content-Length", strconv.Itoa(len(text)))
		h.Set("Cache-Control", "no-store")
		h.Set("Retry-After", "5")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			_, _ = w.Write(text) // whoever has gone does not need it
		}
	})
}
