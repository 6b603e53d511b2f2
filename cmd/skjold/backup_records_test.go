package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/federation"
)

// TestBackupOfRecords: records of every size come back, in files that a backup takes.
func TestBackupOfRecords(t *testing.T) {
	t.Parallel()
	dir := dataDir(t.TempDir())
	from, want := federation.RecordDir(dir.records()), map[federation.Hash][]byte{}
	for i, size := range []int{1, 43, 512 << 10, 512 << 10, 300 << 10, 512 << 10, 7} {
		record := bytes.Repeat([]byte{byte('a' + i), '\n', '"', 0xff}, size)[:size]
		want[federation.HashOf(record)] = record
		if err := from.Put(federation.HashOf(record), record); err != nil {
			t.Fatal(err)
		}
	}
	files, err := dir.recordFiles()
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	into := federation.RecordDir(filepath.Join(t.TempDir(), "records"))
	for name, content := range files {
		if !isRecordsFile(name) || len(content) > recordsSize {
			t.Errorf("%s has %d bytes", name, len(content))
		}
		if err := unpackRecords(content, into); err != nil {
			t.Fatal(err)
		}
	}
	got, err := into.Records()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := unpackRecords([]byte("?"), into); err == nil {
		t.Error("what is no record is taken")
	}
	if none, err := dataDir(t.TempDir()).recordFiles(); err != nil || len(none) > 0 {
		t.Errorf("a node without records: %v, %v", none, err)
	}
}
