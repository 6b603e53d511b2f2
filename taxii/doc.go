// Package taxii is TAXII 2.1 (OASIS Standard, 10 June 2021): its resources, content negotiation, filters and page
// tokens, a Server of all eleven operations and a Client.
//
// The package knows nothing of databases, accounts or the sharing policy: what it needs of them it asks through the
// contracts in contract.go (Store, Authenticator, Visibility).
//
// The life of a poll: Server.serve finds the operation of the path, checks Accept, asks the Authenticator for the
// Principal; the handler checks the rights on the collection, reads the query into a Filter, resolves the page token in
// it to a position, and asks the Store for one page of entries that the Visibility allows; their bytes are put into an
// envelope as they are. The life of a submission is the same up to the rights, before which no body is read; then Intake
// judges each object, and Store.Add makes the valid ones durable in one transaction.
//
// # Decisions where the standard leaves room, and departures from it
//
//   - §3.1: paths are served with and without the trailing slash, without redirects, which would turn a POST into a GET.
//     Paths that readers may understand differently (//, %2F, dot segments) are not found.
//   - RFC 9112 §6.1: an HTTP/1 connection ends after a request whose body came in chunks.
//   - §1.6.8: an Accept that allows nothing of TAXII 2.1 is a 406 before authentication, as clients that probe for 2.0 need.
//   - §3.1: a missing Accept, */*, application/* and application/json are answered too. Content-Type of a GET is ignored.
//   - §1.6.8: discovery, API root, collections and a collection are a page for people (HTML) where Accept names HTML, weighs
//     nothing above it and names no kind of JSON.
//   - §3.2: the date added headers of an empty page repeat the position asked from, or else tell the collection's
//     creation.
//   - §3.4: a match field that an endpoint does not take is refused with 400, as leaving it out would widen the answer;
//     so are added_after, limit and next of a DELETE. Other unknown parameters are ignored. An empty next counts as none.
//   - §3.4: added_after takes any RFC 3339 timestamp of up to nine fraction digits, with an offset too. A limit above the
//     server's is clamped.
//   - §3.4.1: an identifier, type or version in a match field that is malformed is a 400; one that nothing has finds nothing.
//   - §3.5: next carries its query and works alone. What a request names itself wins; of two positions the later counts.
//     A token of another collection is ignored, one from before a restore or damaged is a 400. A page may end before its
//     limit when its objects are large; more is true then.
//   - §3.7, §5.3.1, §5.8.1: more is told wherever something is returned, also as false.
//   - §4.1, §4.2: discovery and the API root need authentication.
//   - §4.2.1: max_content_length also bounds what a gzip body expands to.
//   - §5.3.1, §5.8.1: manifest and versions carry next where more is true, which their tables do not list.
//   - §5.5: STIX bundles are taken like envelopes. An envelope without objects is a 422, since there is nothing to add.
//     Objects dated further in the future than the allowed skew are refused.
//   - §5.5: a request has at most 50,000 objects, or it is a 422; so is one in which no element has an id. A status gives the
//     reasons of the first 1,000 failures, and of later ones how to see them (Unlisted).
//   - §5.5: who submits again what is held and not for him to see is told that it was stored. Other content under an id and
//     version that is held is a failure for everybody, so whoever knows both of an object learns that it is held: a
//     success would be untrue, and storing both would leave readers with two contents of one version.
//   - §3.6: responses above 64 KiB together take at most 256 MiB, submissions 512 MiB, or more for larger bodies. Near the
//     one, pages are short; beyond, the answer is a 503 with Retry-After, and nothing was stored. A client that takes
//     large responses slower than 128 KiB/s on average, or stops for 10 s, is cut off; smaller pages are for slower lines.
//   - §5.6: an object of which the caller sees no version is a 404; one whose versions are only filtered away is an empty
//     envelope, also after a version of it was deleted (§5.7 can be read as asking for a 404 there).
package taxii
