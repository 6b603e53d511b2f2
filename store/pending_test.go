package store

import (
	"errors"
	"testing"
	"time"
)

// TestPending looks at databases that are empty, of the first release, up to date, and of the future.
func TestPending(t *testing.T) {
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	same := func(sql string) string { return sql }
	for name, tt := range map[string]struct {
		make     func(c conn) error
		version  int
		wantErr  error
		stepName string // of the first that is pending
	}{
		"empty":             {func(conn) error { return nil }, 0, nil, "node"},
		"the first release": {func(c conn) error { return steps[0].apply(c, same, time.Unix(1, 0)) }, 1, nil, "lenient"},
		"the future": {func(c conn) error {
			return errors.Join(c.Script(createSchemaVersion), c.Script(`INSERT INTO schema_version (number, applied) VALUES (999, 0)`))
		}, 999, ErrNewerVersion, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			e, err := openSQLite(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(e.Write(t.Context(), tt.make), e.Close()); err != nil {
				t.Fatal(err)
			}
			version, pending, err := Pending(t.Context(), Options{Dir: dir})
			if version != tt.version && tt.wantErr == nil || !errors.Is(err, tt.wantErr) {
				t.Fatalf("version %d, %v", version, err)
			}
			if tt.wantErr != nil {
				return
			}
			if len(pending) != len(steps)-version || pending[0].Name != tt.stepName || pending[0].Number != version+1 {
				t.Errorf("pending: %v", pending)
			}
			if err := openDirNow(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			if version, pending, err := Pending(t.Context(), Options{Dir: dir}); version != len(steps) || len(pending) > 0 || err != nil {
				t.Errorf("after Open: version %d, pending %v, %v", version, pending, err)
			}
		})
	}
}
