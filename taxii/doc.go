// Package taxii is TAXII 2.1 (OASIS Standard, 10 June 2021): its resources, content negotiation, filters and page
// tokens, a Server of all eleven operations and a Client.
//
// The package knows nothing of databases, accounts or the sharing policy: what it needs of them it asks through the
// contracts in contract.go (Store, Authenticator, Visibility).
package taxii
