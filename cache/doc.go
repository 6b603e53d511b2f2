// Package cache is a taxii.Store in front of another: it keeps the bodies of responses ready to be sent, in each content
// coding that was asked for, in process memory first and in Redis second.
//
// # What a page is kept under
//
// The collection and its epoch, everything that the request asks for (filter, position, limit, most octets), the content
// coding, and the decision: which of the collection's marking sets the caller may be served. The sharing policy is asked
// for the decision at each request, so that a changed policy or a changed right needs no eviction: it is another decision,
// and callers of the same decision share pages.
//
// # When a page stops being true
//
// The store behind tells what happens to a collection's log (taxii.Journal). A page says which part of the log its answer
// depends on: from its position up to the entry that shows that there is more, or to the end of the log where there is not.
//
//   - Appending does not concern a page that ended before the end of the log; it is sealed. One that reached the end is
//     evicted. A marking set that is new to the collection has only entries appended since, so sealed pages stay good for
//     whoever decides about the older sets alike, whatever the decision about the new one.
//   - What changes entries that were in the log (a new version of their object, a deletion, a definition that makes them
//     servable) evicts exactly the pages whose part of the log holds one of them.
//
// A page is only put in if the log is still as it was when the page was read, and the log's state is only replaced after
// the pages that it makes untrue are gone. So a page that is found is true of a state at least as new as the one that the
// request goes by.
//
// # What a reader may rely on
//
// A request goes by a state of the log that was read after every write that this process finished before the request came:
// what a client wrote through a process, it reads there. Writes of other processes are seen as soon as a message about them
// comes through Redis, and without any message after half a second, when the state is read anew; nothing is served that
// goes by an older state.
//
// Being behind loses nothing. Entries become visible in the order of date_added, and what is appended later is later than
// everything that was in the log before. The last page of a log, kept or made anew from a somewhat older state, ends with
// some entry, and whatever it does not have yet has a later date_added: a client that goes on from there gets it. So does
// one that goes from a process that is ahead to one that is behind: it gets nothing there, keeps its position, and gets what
// follows it later. No entry is passed and none comes twice.
//
// # Redis
//
// Redis may be slow, gone, flushed or full of garbage; that changes speed only. Each call has 100 ms, and while calls fail
// none are made, except for one now and then that tries. A value carries the digest of the key it was stored under, a
// version and a checksum, is read up to a bounded length, and counts only if it says that it depends on a part of the log
// that has not changed since. Only sealed pages go there, and none with an object above TLP:AMBER, or with one whose
// marking is not understood: such content stays in the node's own memory and database.
package cache
