package federation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// The bounds of one comparison of records with another node.
const (
	maxFetchedRecords     = 500
	maxFetchedRecordBytes = 16 << 20
	// maxRefused bounds the records that are remembered as refused.
	maxRefused = 10_000
)

// RecordFetcher brings the records that another node has and this one has not. Every record is verified by the ledger, so
// that it does not matter who is asked. It runs concurrently.
type RecordFetcher struct {
	Ledger *Ledger
	HTTP   *http.Client

	mu sync.Mutex
	// refused are records that the ledger did not take. They are asked for again when it has taken another one, which may
	// be what they need.
	refused map[Hash]bool
	etag    map[EntityID]string // of the listing that has nothing new
	held    int                 // records in the ledger when these two were made
}

// Fetch compares the ledger with a node's records and adds what is missing, at most 500 records and 16 MiB at a time. It
// returns how many were added.
func (f *RecordFetcher) Fetch(ctx context.Context, from EntityID) (added int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.Ledger.Hashes()); n != f.held {
		f.held = n
		clear(f.refused)
		clear(f.etag)
	}
	missing, etag, err := f.missing(ctx, from)
	if err != nil || len(missing) == 0 {
		f.settled(from, etag, err)
		return 0, err
	}
	records, all, err := f.fetch(ctx, from, missing)
	for {
		before := added
		waiting := records[:0]
		for _, record := range records {
			if f.add(record) {
				added++
			} else {
				waiting = append(waiting, record)
			}
		}
		if records = waiting; added == before {
			break
		}
	}
	if f.refused == nil {
		f.refused = make(map[Hash]bool)
	}
	for _, record := range records {
		if len(f.refused) < maxRefused {
			f.refused[hashOf(record)] = true
		}
	}
	if all && len(records) == 0 {
		f.settled(from, etag, err)
	}
	return added, err
}

// settled notes that a node's listing has nothing that is missing here.
func (f *RecordFetcher) settled(from EntityID, etag string, err error) {
	if err != nil || etag == "" {
		return
	}
	if f.etag == nil || len(f.etag) > 2*maxAuthorityHints {
		f.etag = make(map[EntityID]string)
	}
	f.etag[from] = etag
}

// add gives a record to the ledger. A list of org_ids is signed by nobody: it is taken where a decision names it.
func (f *RecordFetcher) add(record []byte) bool {
	if len(record) > 0 && record[0] == '[' && !bytes.HasPrefix(record, []byte(`["ey`)) && !f.Ledger.names(hashOf(record)) {
		return false
	}
	_, err := f.Ledger.Add(record)
	return err == nil
}

// names tells whether a decision admits the class whose list has a hash.
func (l *Ledger) names(list Hash) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.ContainsFunc(l.decisions, func(d *Decision) bool { return d.Nomination != nil && d.Nomination.Members == list })
}

// missing are the hashes in a node's listing that are neither held nor refused.
func (f *RecordFetcher) missing(ctx context.Context, from EntityID) (missing []Hash, etag string, err error) {
	held := f.Ledger.Hashes()
	var after Hash
	for range maxRecords / maxHashes {
		address := string(from) + RecordsPath
		header := http.Header{"Accept": {"application/json"}}
		if after != "" {
			address += "?" + url.Values{"after": {string(after)}}.Encode()
		} else if f.etag[from] != "" {
			header.Set("If-None-Match", f.etag[from])
		}
		body, err := fetchBounded(ctx, f.HTTP, address, header, "application/json", 64*maxHashes)
		if errors.Is(err, errNotModified) {
			return nil, f.etag[from], nil
		}
		var hashes []Hash
		if err == nil {
			err = json.Unmarshal(body, &hashes)
		}
		if err != nil {
			return nil, "", fmt.Errorf("compare the records with %s: %w", from, err)
		}
		if after == "" && len(hashes) < maxHashes {
			etag = recordsTag(body)
		}
		for _, h := range hashes {
			if _, err := ParseHash(string(h)); err != nil || h <= after {
				return nil, "", fmt.Errorf("compare the records with %s: its list is not one of hashes in ascending order", from)
			}
			after = h
			if _, found := slices.BinarySearch(held, h); !found && !f.refused[h] {
				missing = append(missing, h)
			}
		}
		if len(hashes) < maxHashes || len(missing) >= maxFetchedRecords {
			break
		}
	}
	return missing, etag, nil
}

// recordsTag is the ETag of a listing.
func recordsTag(body []byte) string { return `"` + string(hashOf(body)) + `"` }

// fetch gets records by their hashes; all tells that none was left for the next time. What came is returned with an error.
func (f *RecordFetcher) fetch(ctx context.Context, from EntityID, hashes []Hash) (records [][]byte, all bool, err error) {
	size := 0
	for i, h := range hashes {
		if i >= maxFetchedRecords || size > maxFetchedRecordBytes {
			return records, false, nil
		}
		record, err := fetchBounded(ctx, f.HTTP, string(from)+RecordsPath+"/"+string(h), http.Header{}, "", maxRecord)
		if err != nil {
			return records, false, fmt.Errorf("fetch the record %s of %s: %w", h, from, err)
		}
		if got := hashOf(record); got != h {
			return records, false, fmt.Errorf("fetch the record %s of %s: what came is %s", h, from, got)
		}
		records, size = append(records, record), size+len(record)
	}
	return records, true, nil
}
