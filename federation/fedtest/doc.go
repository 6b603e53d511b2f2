// Package fedtest is a whole federation in one process for tests: founders with their vote keys, an anchor, hubs and
// members as HTTP servers on 127.0.0.1, the founders' decisions behind every statement, and one clock that tests set.
//
// Everything in it is real but the clock: the charter is signed, members are nominated, prove their keys and are voted
// in, and what a node serves is made by the code that a node runs.
package fedtest
