package taxii

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// Accounts finds the accounts of this node.
type Accounts interface {
	// Account returns the principal of an account by its name and key, or ErrUnauthenticated. name is "" where the
	// caller gave a key alone. It runs concurrently, compares in constant time, and sees another process's change within
	// two seconds.
	Account(ctx context.Context, name, key string) (*Principal, error)
}

// KeyAuth authenticates accounts of this node by name and key or by key alone, in the forms that TAXII clients have:
// HTTP Basic (scheme in any case), "Bearer KEY", "Token KEY", and the header x-api-key.
type KeyAuth struct {
	Accounts Accounts
}

// Bounds of credentials in octets.
const (
	maxAccountName = 128
	maxAccountKey  = 512
	maxCredentials = 2048
)

// Authenticate implements Authenticator.
func (a KeyAuth) Authenticate(r *http.Request) (*Principal, error) {
	name, key, err := credentials(r.Header)
	if err != nil {
		return nil, err
	}
	return a.Accounts.Account(r.Context(), name, key)
}

// credentials reads the name and key of a request. Two sets of credentials are refused: a proxy may have judged the other.
func credentials(h http.Header) (name, key string, err error) {
	authorization, apiKey := h.Values("Authorization"), h.Values("X-Api-Key")
	switch {
	case len(authorization)+len(apiKey) == 0:
		return "", "", unauthenticated("no credentials")
	case len(authorization)+len(apiKey) > 1:
		return "", "", unauthenticated("more than one set of credentials")
	case len(apiKey) == 1:
		key = strings.TrimSpace(apiKey[0])
	default:
		if name, key, err = parseAuthorization(authorization[0]); err != nil {
			return "", "", err
		}
	}
	switch {
	case key == "":
		return "", "", unauthenticated("the key is empty")
	case len(key) > maxAccountKey || len(name) > maxAccountName:
		return "", "", unauthenticated("the name or the key is too long")
	case !utf8.ValidString(name) || !utf8.ValidString(key):
		return "", "", unauthenticated("the name or the key is not UTF-8")
	}
	return name, key, nil
}

func parseAuthorization(value string) (name, key string, err error) {
	if len(value) > maxCredentials {
		return "", "", unauthenticated("the Authorization header is too long")
	}
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(scheme) {
	case "basic":
		return parseBasic(rest)
	case "bearer", "token":
		if strings.ContainsAny(rest, " \t") {
			return "", "", unauthenticated("the key has a space in it")
		}
		return "", rest, nil
	}
	return "", "", unauthenticated("unknown authentication scheme")
}

// parseBasic reads RFC 7617 credentials. A name is needed: "key alone" is for the other schemes.
func parseBasic(encoded string) (name, key string, err error) {
	plain, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", "", unauthenticated("the Basic credentials are not base64")
	}
	name, key, ok := strings.Cut(string(plain), ":")
	if !ok || name == "" {
		return "", "", unauthenticated("the Basic credentials are not name:key")
	}
	return name, key, nil
}

func unauthenticated(reason string) error { return fmt.Errorf("%w: %s", ErrUnauthenticated, reason) }
