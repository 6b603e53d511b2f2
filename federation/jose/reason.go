package jose

import (
	"errors"
	"fmt"
)

// Reason names, for programs and logs, why a token or a key was refused. The texts are stable.
type Reason string

// Reasons to refuse a token.
const (
	// Oversize: longer than the profile's limit.
	Oversize Reason = "oversize"
	// NotCompact: not three parts joined by dots (RFC 7515 §7.1).
	NotCompact Reason = "not-compact"
	// JSONSerialization: the JSON serialization of RFC 7515 §7.2, with one signature or several.
	JSONSerialization Reason = "json-serialization"
	// Base64: a part is not base64url without padding in its one canonical form (RFC 7515 §2).
	Base64 Reason = "base64"
	// HeaderMember: the header has a member other than alg, kid, typ, or lacks one of them.
	HeaderMember Reason = "header-member"
	// BadAlgorithm: alg is neither EdDSA nor ES256 ("none", HMAC and RSA among them).
	BadAlgorithm Reason = "algorithm"
	// BadType: typ is not the one that the profile demands.
	BadType Reason = "type"
	// BadKeyID: kid is not the text of an RFC 7638 SHA-256 thumbprint (empty, a path, anything else).
	BadKeyID Reason = "key-id"
	// UnknownKey: kid is none of the keys that the signer may use.
	UnknownKey Reason = "unknown-key"
	// AlgorithmMismatch: alg is not the algorithm of the key that kid names.
	AlgorithmMismatch Reason = "algorithm-mismatch"
	// SignatureForm: the signature is not 64 bytes (ES256 in DER, for instance).
	SignatureForm Reason = "signature-form"
	// BadSignature: the signature is not this key's over this header and payload.
	BadSignature Reason = "signature"
	// ClaimForm: a claim is missing or is not of the form that it must have.
	ClaimForm Reason = "claim-form"
	// NoExpiry: the profile demands exp and there is none.
	NoExpiry Reason = "no-expiry"
	// Expired: exp has passed.
	Expired Reason = "expired"
	// NotYetValid: iat or nbf is in the future.
	NotYetValid Reason = "not-yet-valid"
	// SeveralAudiences: aud is a list (even of one).
	SeveralAudiences Reason = "several-audiences"
	// BadAudience: aud is not the one that the profile demands, or missing where it does.
	BadAudience Reason = "audience"
)

// Reasons to refuse a JSON text: a header, a payload, a key or a key set.
const (
	// NotJSON: not one JSON object in valid UTF-8.
	NotJSON Reason = "not-json"
	// TrailingData: something follows the JSON object.
	TrailingData Reason = "trailing-data"
	// DuplicateMember: an object has two members of one name.
	DuplicateMember Reason = "duplicate-member"
	// TooDeep: objects and arrays are nested deeper than MaxDepth.
	TooDeep Reason = "depth"
)

// Reasons to refuse a key or a key set.
const (
	// KeyCount: a set without keys, or with more than MaxKeys.
	KeyCount Reason = "key-count"
	// KeyDuplicate: a set has one key twice.
	KeyDuplicate Reason = "key-duplicate"
	// KeyMember: a member that keys here do not have, or one missing.
	KeyMember Reason = "key-member"
	// KeyType: a kty or crv other than OKP with Ed25519 and EC with P-256 (oct and RSA among them).
	KeyType Reason = "key-type"
	// KeyAlgorithm: alg is missing or not the one of the key's curve.
	KeyAlgorithm Reason = "key-algorithm"
	// KeyUse: use is not "sig".
	KeyUse Reason = "key-use"
	// KeyPrivate: a key with private members where only public keys may be; or the reverse.
	KeyPrivate Reason = "key-private"
	// KeyPoint: the public key is no point of the curve, not in canonical form, or of small order.
	KeyPoint Reason = "key-point"
	// KeyThumbprint: kid is not the thumbprint of the key.
	KeyThumbprint Reason = "key-thumbprint"
)

// Error tells why a token or a key was refused. Its text has no secrets: no token, no signature, no private member.
type Error struct {
	Reason Reason
	Detail string // a sentence for the log
}

// Error returns the detail with the reason in front.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Reason, e.Detail) }

// ReasonOf returns the reason of an *Error anywhere in err's chain, "" if there is none.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func refuse(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, Detail: fmt.Sprintf(format, args...)}
}
