// Package jose is the only door to JOSE: a strict wrapper that signs and verifies compact JWS with Ed25519 or ES256 and
// fails closed on everything that its callers did not ask for.
package jose
