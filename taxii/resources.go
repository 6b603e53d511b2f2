package taxii

import "encoding/json"

// Media types (§1.6.8.1).
const (
	// MediaType is the Content-Type of every response that has a body, to the letter: clients compare it as text.
	MediaType = "application/taxii+json;version=2.1"
	// STIXMediaType is that of the objects that a collection holds.
	STIXMediaType = "application/stix+json;version=2.1"
	// STIX20MediaType is that of a manifest record whose object is STIX 2.0.
	STIX20MediaType = "application/stix+json;version=2.0"
)

// Discovery is the discovery resource (§4.1.1).
type Discovery struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Contact     string `json:"contact,omitempty"`
	// Default is one of APIRoots, the same text.
	Default string `json:"default,omitempty"`
	// APIRoots are absolute https URLs, or paths that begin with one slash.
	APIRoots []string `json:"api_roots,omitempty"`
}

// APIRoot is the API root resource (§4.2.1).
type APIRoot struct {
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	Versions    []string `json:"versions"`
	// MaxContentLength is the largest request body in octets.
	MaxContentLength int64 `json:"max_content_length"`
}

// CollectionResource is the collection resource (§5.2.1): a collection as one caller sees it.
type CollectionResource struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Alias       string `json:"alias,omitempty"`
	CanRead     bool   `json:"can_read"`
	CanWrite    bool   `json:"can_write"`
	// MediaTypes of the objects; absent means application/stix+json.
	MediaTypes []string `json:"media_types,omitempty"`
}

// CollectionsResource is the collections resource (§5.1.1).
type CollectionsResource struct {
	Collections []CollectionResource `json:"collections,omitempty"`
}

// Envelope is the envelope resource (§3.7). Objects are the objects' bytes. The server says more in every envelope that is
// not empty, also where it is false and could be left out: some clients read it without asking whether it is there.
type Envelope struct {
	More    bool              `json:"more"`
	Next    string            `json:"next,omitempty"`
	Objects []json.RawMessage `json:"objects,omitempty"`
}

// Manifest is the manifest resource (§5.3.1), with more as in an Envelope. Next is not in the standard's table, but §5.3 takes it as a parameter.
type Manifest struct {
	More    bool             `json:"more"`
	Next    string           `json:"next,omitempty"`
	Objects []ManifestRecord `json:"objects,omitempty"`
}

// ManifestRecord describes one version of an object (§5.3.1).
type ManifestRecord struct {
	ID        string `json:"id"`
	DateAdded string `json:"date_added"`
	Version   string `json:"version"`
	MediaType string `json:"media_type,omitempty"`
}

// Versions is the versions resource (§5.8.1), in ascending order of date added. Next is not in the standard's table, but
// §5.8 takes it as a parameter.
type Versions struct {
	More     bool     `json:"more"`
	Next     string   `json:"next,omitempty"`
	Versions []string `json:"versions,omitempty"`
}

// Error is the error message (§3.6.1).
type Error struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	// ErrorID is the request id, which the server's log has too.
	ErrorID   string `json:"error_id,omitempty"`
	ErrorCode string `json:"error_code,omitempty"`
	// HTTPStatus is the status code as text, equal to that of the response.
	HTTPStatus      string         `json:"http_status,omitempty"`
	ExternalDetails string         `json:"external_details,omitempty"`
	Details         map[string]any `json:"details,omitempty"`
}

// The values of Status.Status (§4.3.1).
const (
	StatusComplete = "complete"
	StatusPending  = "pending"
)

// Status is the status resource (§4.3.1). Lists are omitted when empty; their lengths equal their counts.
type Status struct {
	ID               string         `json:"id"`
	Status           string         `json:"status"` // complete or pending
	RequestTimestamp string         `json:"request_timestamp"`
	TotalCount       int            `json:"total_count"`
	SuccessCount     int            `json:"success_count"`
	Successes        []StatusDetail `json:"successes,omitempty"`
	FailureCount     int            `json:"failure_count"`
	Failures         []StatusDetail `json:"failures,omitempty"`
	PendingCount     int            `json:"pending_count"`
	Pendings         []StatusDetail `json:"pendings,omitempty"`
}

// StatusDetail tells the fate of one object of a submission (§4.3.1).
type StatusDetail struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Message string `json:"message,omitempty"`
}
