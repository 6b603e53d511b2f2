package store

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skjold-exchange/skjold/taxii"
)

func TestShape(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT a\n\t\tFROM b WHERE c = $1":                         "SELECT a FROM b WHERE c = $…",
		"SELECT a FROM b WHERE c IN ($1, $2, $3) AND d = $4":        "SELECT a FROM b WHERE c IN ($…) AND d = $…",
		"SELECT a FROM b WHERE c IN (17, 18,19) LIMIT 5":            "SELECT a FROM b WHERE c IN (?) LIMIT ?",
		"INSERT INTO b VALUES ($1, $2), ($3, $4), ($5, $6)":         "INSERT INTO b VALUES ($…), …",
		"SELECT x'00' FROM t2 WHERE name = 'entry' AND v1 = $10":    "SELECT x'?' FROM t2 WHERE name = 'entry' AND v1 = $…",
		strings.Repeat("x", maxShape-1) + "é, and what comes after": strings.Repeat("x", maxShape-1) + " …",
	} {
		if got := statementShape(sql); got != want {
			t.Errorf("statementShape(%q)\n is %q,\nwant %q", sql, got, want)
		}
	}
}

// slowStore is a store that logs every statement.
func slowStore(t *testing.T, threshold time.Duration) (*Store, *bytes.Buffer, *prometheus.Registry) {
	t.Helper()
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), SlowStatement: threshold, Logger: slog.New(slog.NewJSONHandler(&log, nil)), Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, &log, registry
}

// TestSlowStatements holds that slow statements are logged, with neither arguments nor numbers, and so many lines at most.
func TestSlowStatements(t *testing.T) {
	s, log, registry := slowStore(t, time.Nanosecond)
	const secret = "hunter2"
	if err := s.SetMeta(t.Context(), secret, "password "+secret); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Account(t.Context(), "", secret); err == nil {
		t.Fatal("there is no such account")
	}
	for _, want := range []string{`"level":"WARN"`, `INSERT INTO meta (name, value) VALUES ($…)`, `FROM client_key`, `"duration_ms":`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	for range 100 {
		if _, err := s.Meta(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(log.String(), secret) {
		t.Errorf("the log has an argument:\n%s", log)
	}
	if n := strings.Count(log.String(), "\n"); n != slowLines {
		t.Errorf("%d lines, want %d", n, slowLines)
	}
	s.slow.window = time.Now().Add(-slowWindow)
	if _, err := s.Meta(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	slow := metricOf(t, registry, "skjold_store_slow_statements_total")
	if want := fmt.Sprintf(`"slow_and_not_logged":%d`, int(slow)-slowLines-1); !strings.Contains(log.String(), want) {
		t.Errorf("%v slow statements, and the log lacks %s:\n%s", slow, want, log)
	}
}

func TestFastStatements(t *testing.T) {
	for _, threshold := range []time.Duration{0, time.Hour} {
		s, log, _ := slowStore(t, threshold)
		addCollection(t, s)
		if log.Len() > 0 {
			t.Errorf("at %s the log has\n%s", threshold, log)
		}
	}
}

func metricOf(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue() + f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// TestMetricLabels holds that no label of the store's metrics has a value that somebody else can choose.
func TestMetricLabels(t *testing.T) {
	s, _, registry := slowStore(t, 0)
	c := addCollection(t, s)
	for i := range 20 {
		sub := oneObject(t, c.ID)
		sub.Account = fmt.Sprint("account ", i)
		sub.Deferred = i%2 == 0
		if i%5 == 0 {
			sub.Items[0].Refused = fmt.Sprint("reason ", i)
		}
		if _, err := s.Add(t.Context(), sub); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Advance(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Observe(taxii.Served{Kind: taxii.ClientAccount, Name: sub.Account, UserAgent: sub.Account, Error: sub.Account})
	}
	allowed := map[string][]string{"result": {"done", "failed"}, "outcome": append(outcomeNames[:], "deleted", "served", "dropped")}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			series++
			for _, l := range m.GetLabel() {
				if values, ok := allowed[l.GetName()]; !ok || !strings.Contains(" "+strings.Join(values, " ")+" ", " "+l.GetValue()+" ") {
					t.Errorf("%s has the label %s=%q", f.GetName(), l.GetName(), l.GetValue())
				}
			}
		}
	}
	if series < 8 {
		t.Errorf("only %d series were looked at", series)
	}
}
