package store

import "strings"

// insertion is a statement that adds a row to a table.
type insertion struct {
	table   string
	columns []string
	text    string
}

func newInsertion(table string, columns ...string) *insertion {
	return &insertion{table: table, columns: columns,
		text: `INSERT INTO ` + table + ` (` + strings.Join(columns, ", ") + `) VALUES (` + placeholders(1, len(columns)) + `)`}
}
