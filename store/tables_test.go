package store

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/store/archive"
)

func schemaNow(t *testing.T) schema {
	t.Helper()
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	sc, err := schemaAt(len(steps), steps)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

// TestTablesComplete holds that what backups and moves copy is every table of a real database, each after those that it
// refers to.
func TestTablesComplete(t *testing.T) {
	sc := schemaNow(t)
	var copied []string
	for _, table := range sc.tables {
		for _, other := range table.refers {
			if !slices.Contains(copied, other) {
				t.Errorf("table %s is filled before %s, which it refers to", table.Name, other)
			}
		}
		copied = append(copied, table.Name)
	}
	s := openDir(t, t.TempDir())
	var held []string
	err := s.engine.Read(t.Context(), func(c conn) error {
		return c.Query(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`, nil, func(r row) error { held = append(held, r.Text(0)); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(held, slices.Sorted(slices.Values(append(copied, "schema_version")))); diff != "" {
		t.Errorf("tables (-held +copied):\n%s", diff)
	}
}

// TestEverySchemaCanBeCopied holds it of the schemas of former versions too, whose backups are restored.
func TestEverySchemaCanBeCopied(t *testing.T) {
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= len(steps); n++ {
		if sc, err := schemaAt(n, steps); err != nil || len(sc.tables) < 10 {
			t.Errorf("schema %d: %d tables, %v", n, len(sc.tables), err)
		}
	}
	if _, err := schemaAt(len(steps)+1, steps); err == nil {
		t.Error("a schema of the future was found")
	}
}

func TestCircle(t *testing.T) {
	named := func(name string, refers ...string) table {
		return table{Table: archive.Table{Name: name}, refers: refers}
	}
	if list, err := inOrder([]table{named("a", "b"), named("b", "c", "b"), named("c")}); err != nil || list[0].Name != "c" || list[2].Name != "a" {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := inOrder([]table{named("a", "b"), named("b", "a")}); err == nil || !strings.Contains(err.Error(), "circle") {
		t.Errorf("a circle: %v", err)
	}
}
