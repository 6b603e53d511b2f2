package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skjold-exchange/skjold/federation"
)

// The files of a backup that hold the records of the federation: federation/records-1.txt and so on, a record a line, in
// base64. They are no files of the data directory, where each record is one.
const (
	recordsPrefix = "federation/records-"
	recordsSuffix = ".txt"
	recordsSize   = 1 << 20 // of a file at most, as package archive wants it
)

// recordFiles are the records of the federation for a backup. Everything else that a node knows of its federation is in its
// database, or is found again.
func (d dataDir) recordFiles() (map[string][]byte, error) {
	records, err := federation.RecordDir(d.records()).Records()
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	var part bytes.Buffer
	flush := func() {
		if part.Len() > 0 {
			files[fmt.Sprintf("%s%d%s", recordsPrefix, len(files)+1, recordsSuffix)] = bytes.Clone(part.Bytes())
			part.Reset()
		}
	}
	for _, hash := range slices.Sorted(maps.Keys(records)) {
		line := base64.StdEncoding.EncodeToString(records[hash]) + "\n"
		if part.Len()+len(line) > recordsSize {
			flush()
		}
		part.WriteString(line)
	}
	flush()
	return files, nil
}

func isRecordsFile(name string) bool {
	return strings.HasPrefix(name, recordsPrefix) && strings.HasSuffix(name, recordsSuffix)
}

// unpackRecords gives each record of a file of a backup a file of its own. Their content is checked by whoever reads them.
func unpackRecords(content []byte, dir federation.RecordDir) error {
	for line := range strings.Lines(string(content)) {
		record, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return fmt.Errorf("the backup's records of the federation: %w", err)
		}
		if err := dir.Put(federation.HashOf(record), record); err != nil {
			return err
		}
	}
	return nil
}
