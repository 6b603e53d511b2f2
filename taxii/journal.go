package taxii

import (
	"context"

	"github.com/skjold-exchange/skjold/stix"
)

// Journal is a Store that tells what became of a collection, for whoever keeps answers of it in memory.
type Journal interface {
	Store
	// Changes tells what happened to a collection after since, a state of it that the caller has seen; the zero LogState
	// is before everything. ErrNotFound if there is no such collection.
	Changes(ctx context.Context, collection string, since LogState) (Changes, error)
	// Watch has fn called after every write of this process that may have changed a collection, and before the method that
	// wrote returns. fn may be called concurrently and must not block. Watch is called before any other method.
	Watch(fn func(collection string))
}

// LogState identifies what a collection's log holds: two equal states hold the same entries, in the same order and with
// the same meaning to every query.
type LogState struct {
	Epoch    string
	Last     DateAdded // grows with every append
	Revision int64     // grows with every change of an entry that was there already
}

// State is the state of the collection's log.
func (c Collection) State() LogState {
	return LogState{Epoch: c.Epoch, Last: c.Last, Revision: c.Revision}
}

// Changes tells what happened to a collection's log since a state of it.
type Changes struct {
	Collection Collection // as it is now
	// Unknown: entries changed, and the store does not know which any more. Touched is then not all of it.
	Unknown bool
	// Touched are the latest changes in ascending order of their revision, as far as they are later than the state asked about.
	Touched []Revision
	// Sets are all marking sets that entries of the collection have or had, in the order in which they came. One that is
	// added later has only entries that are appended later. Nil where the log is in the state asked about.
	Sets []MarkedSet
}

// Revision is one change of entries of a log: where they were before, as what happens to a changed entry is that it stays
// where it is, that it goes, or that it is appended anew. An entry is told whatever of it changed that a query can ask for:
// its existence, whether it is the first or last version of its object for some caller, and who may see it.
type Revision struct {
	Number int64
	Ranges []DateRange // ascending, apart from each other
}

// DateRange is a closed range of date_added.
type DateRange struct{ From, To DateAdded }

// MarkedSet is a marking set in a collection, as the sharing policy is asked about it.
type MarkedSet struct {
	Set     stix.MarkingSet
	Unknown bool // it has a marking whose definition the node does not hold or understand
}
