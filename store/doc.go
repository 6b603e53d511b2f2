// Package store keeps a node's collections, accounts, peers and subscriptions in a relational database: SQLite in the
// data directory by default.
//
// One SQL text serves every engine. An engine gives a snapshot to read from and a serialised, durable transaction to
// write in; everything else is built on these two:
//
//   - A collection is an append-only log. date_added is assigned inside the write transaction, from the collection's own
//     counter, so entries become visible in its order and a cursor never passes an entry that appears later.
//   - What a query can filter by, apart from identifiers and versions, is interned: the marking set, the object type and
//     the specification version of an entry are one small number, its facet. A page query names the facets that its
//     caller may see and wants; the sharing policy is asked once per marking set.
//   - Concurrent writers share a commit: whoever holds the writer's turn runs the waiting submissions too, and all of them
//     return when the one commit is on the disk. Submissions of one collection that have no object in common are stored as
//     one, with one set of statements. One that fails is undone alone.
//   - A large submission is kept with a status that is pending, and decided in parts afterwards: each part's objects and
//     what the status says of them are one transaction. One process at a time works on a submission, by a claim that ends
//     by itself; that a part is decided once does not depend on the claim, but on the writers' order.
package store
