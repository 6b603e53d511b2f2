// Package jose is the only door to JOSE: a strict wrapper that signs and verifies compact JWS with Ed25519 or ES256 and
// fails closed on everything that its callers did not ask for.
//
// The cryptography, the signature encodings and the RFC 7638 thumbprints are those of github.com/lestrrat-go/jwx/v3. A
// general JOSE library accepts what a federation must not: JSON serializations, several signatures, header members that
// carry keys, lenient base64url, duplicate JSON members. This package therefore reads a token byte by byte before the
// library sees it. Every refusal is an *Error with a stable Reason.
//
// Two algorithms exist here (RFC 8037 and RFC 7518 §3.4): EdDSA with Ed25519, and ES256. A key's kid is its RFC 7638
// SHA-256 thumbprint, recomputed whenever a key is read; a header has exactly the members alg, kid and typ.
package jose
