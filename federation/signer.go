package federation

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

const (
	// requestType is the typ of request tokens.
	requestType = "taxii-request+jwt"
	// requestLife is exp - iat of a request token.
	requestLife = 60 * time.Second
	// maxRequestToken bounds a request token in bytes: an entity id is at most 255 characters, a URL rarely over 1,000.
	maxRequestToken = 4 << 10
	// jtiSize is the size of a token's random id in bytes.
	jtiSize = 16
)

// requestClaims is the payload of a request token.
type requestClaims struct {
	Issuer     EntityID `json:"iss"`
	Subject    EntityID `json:"sub"`
	Audience   EntityID `json:"aud"`
	IssuedAt   int64    `json:"iat"`
	Expires    int64    `json:"exp"`
	ID         string   `json:"jti"`
	Method     string   `json:"htm"`
	URL        string   `json:"htu"`
	QueryHash  string   `json:"qsh"`
	BodyDigest string   `json:"bdh,omitempty"`
}

// Signer authenticates a node's own requests to other nodes. It runs concurrently.
type Signer struct {
	Entity EntityID
	Key    *jose.Key        // the request key
	KeyNow func() *jose.Key // where it is rotated: the request key of now, in the place of Key
	Now    func() time.Time // nil for time.Now
}

// SignRequest sets the Authorization header of a request to callee: a request token that holds for this method, address,
// query and body, for 60 seconds and for one use. body is what will be sent, nil for none. Each attempt needs a new
// token: sign again before a retry.
func (s *Signer) SignRequest(req *http.Request, callee EntityID, body []byte) error {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	return s.signAt(req, callee, sha256.Sum256(body), now())
}

func (s *Signer) signAt(req *http.Request, callee EntityID, body [32]byte, now time.Time) error {
	if !s.Entity.sameWorld(callee) {
		return fmt.Errorf("%s and %s are no partners: a node on this machine and a real one never speak", s.Entity, callee)
	}
	jti := make([]byte, jtiSize)
	if _, err := rand.Read(jti); err != nil {
		return fmt.Errorf("sign a request to %s: %w", callee, err)
	}
	claims := requestClaims{
		Issuer: s.Entity, Subject: s.Entity, Audience: callee,
		IssuedAt: now.Unix(), Expires: now.Add(requestLife).Unix(),
		ID:     base64.RawURLEncoding.EncodeToString(jti),
		Method: method(req), URL: origin(req.URL) + path(req.URL), QueryHash: digest([]byte(req.URL.RawQuery)),
	}
	if hasBodyDigest(claims.Method) {
		claims.BodyDigest = base64.RawURLEncoding.EncodeToString(body[:])
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return fmt.Errorf("sign a request to %s: %w", callee, err)
	}
	key := s.Key
	if s.KeyNow != nil {
		key = s.KeyNow()
	}
	token, err := jose.Sign(payload, key, requestType)
	if err != nil {
		return fmt.Errorf("sign a request to %s: %w", callee, err)
	}
	if len(token) > maxRequestToken {
		return fmt.Errorf("sign a request to %s: its address is too long", callee)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

func method(r *http.Request) string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

// hasBodyDigest tells whether a token for this method covers the body.
func hasBodyDigest(method string) bool {
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}

// origin is the scheme and host of htu: lower case, without the scheme's standard port.
func origin(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return scheme + "://" + host
}

// path is the path of htu, escaped as it is sent.
func path(u *url.URL) string {
	if p := u.EscapedPath(); p != "" {
		return p
	}
	return "/"
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// IsRequestToken tells whether the value of an Authorization header is meant to be a request token and not the key of a
// local account: a bearer token of three parts whose first is a JSON object in base64url. It promises nothing more.
func IsRequestToken(authorization string) bool {
	token, ok := bearer(authorization)
	return ok && strings.HasPrefix(token, "ey") && strings.Count(token, ".") == 2
}

// bearer takes the token out of "Bearer token" (RFC 6750 §2.1; the scheme in any case).
func bearer(authorization string) (string, bool) {
	scheme, token, ok := strings.Cut(authorization, " ")
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}
