package store

import (
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"
)

const (
	// slowLines is how many slow statements are logged in slowWindow; the others are counted.
	slowLines  = 20
	slowWindow = time.Minute
	// maxShape bounds what is logged of a statement, in octets.
	maxShape = 400
)

// slowLog tells the operator which statements take long. What is logged of one is its shape: the text of the program,
// with neither arguments nor numbers.
type slowLog struct {
	threshold time.Duration // 0: nothing is logged
	log       *slog.Logger
	metrics   *metrics

	mu         sync.Mutex // of what follows
	window     time.Time
	lines      int
	unreported int
}

// timed is a connection whose statements are watched.
func (l *slowLog) timed(c conn) conn {
	if l == nil || l.threshold <= 0 {
		return c
	}
	return timedConn{conn: c, slow: l}
}

// took notes a statement that has ended.
func (l *slowLog) took(statement string, took time.Duration) {
	if l == nil || l.threshold <= 0 || took < l.threshold {
		return
	}
	l.metrics.slow.Inc()
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(l.window) >= slowWindow {
		l.window, l.lines = now, 0
	}
	if l.lines++; l.lines > slowLines {
		l.unreported++
		return
	}
	attrs := []any{"statement", statementShape(statement), "duration_ms", took.Milliseconds()}
	if l.unreported > 0 {
		attrs = append(attrs, "slow_and_not_logged", l.unreported)
		l.unreported = 0
	}
	l.log.Warn("store: slow statement", attrs...)
}

var (
	parameters = regexp.MustCompile(`\$\d+(\s*,\s*\$\d+)*`)
	numbers    = regexp.MustCompile(`\b\d+(\s*,\s*\d+)*\b`)
	rowsOf     = regexp.MustCompile(`(\(\$…\))(\s*,\s*\(\$…\))+`)
)

// statementShape is a statement without its arguments and numbers, on one line: statements that differ by them alone have the same.
func statementShape(sql string) string {
	s := strings.Join(strings.Fields(sql), " ")
	s = numbers.ReplaceAllString(parameters.ReplaceAllString(s, "$$…"), "?")
	s = rowsOf.ReplaceAllString(s, "$1, …")
	if len(s) > maxShape {
		s = strings.ToValidUTF8(s[:maxShape], "") + " …"
	}
	return s
}

// timedConn tells its slowLog how long statements take, what is done with their rows included.
type timedConn struct {
	conn
	slow *slowLog
}

// Exec implements conn.
func (c timedConn) Exec(sql string, args ...any) (int64, error) {
	begun := time.Now()
	defer func() { c.slow.took(sql, time.Since(begun)) }()
	return c.conn.Exec(sql, args...)
}

// ExecMany implements conn.
func (c timedConn) ExecMany(sql string, rows [][]any) error {
	begun := time.Now()
	defer func() { c.slow.took(sql, time.Since(begun)) }()
	return c.conn.ExecMany(sql, rows)
}

// Insert implements conn.
func (c timedConn) Insert(into *insertion, rows [][]any) error {
	begun := time.Now()
	defer func() { c.slow.took(into.text, time.Since(begun)) }()
	return c.conn.Insert(into, rows)
}

// Query implements conn.
func (c timedConn) Query(sql string, args []any, each func(row) error) error {
	begun := time.Now()
	defer func() { c.slow.took(sql, time.Since(begun)) }()
	return c.conn.Query(sql, args, each)
}
