package store

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skjold-exchange/skjold/taxii"
)

// metrics of the store. Labels take values from the fixed lists in this file.
type metrics struct {
	commitSeconds *prometheus.HistogramVec
	shared        prometheus.Histogram
	rows          *prometheus.CounterVec
	unavailable   prometheus.Counter
	pending       prometheus.Gauge
	slow          prometheus.Counter
	damaged       prometheus.Gauge
	writesFail    prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		commitSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "skjold_store_commit_seconds",
			Help:    "Time of one write transaction, the wait for its turn among processes and its sync to disk included.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}, []string{"result"}),
		shared: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "skjold_store_commit_writes",
			Help:    "Concurrent writes that shared one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "skjold_store_objects_total",
			Help: "Objects by what became of them: stored, known, conflict, refused, tombstoned, deleted, retired (by a collection's retention), served, dropped (from a full quarantine).",
		}, []string{"outcome"}),
		unavailable: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "skjold_store_unavailable_total",
			Help: "Transactions that failed because the database was locked for too long, its disk full or its file unusable.",
		}),
		pending: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "skjold_store_pending_objects",
			Help: "Objects of submissions that were accepted and are not decided yet.",
		}),
		slow: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "skjold_store_slow_statements_total",
			Help: "Statements that took longer than database.slow_query.",
		}),
		damaged: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "skjold_store_damaged",
			Help: "1 if damage was met in the database and no examination has passed since.",
		}),
		writesFail: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "skjold_store_writes_failing",
			Help: "1 if the last write failed because the disk is full or may not be written.",
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.commitSeconds, m.shared, m.rows, m.unavailable, m.pending, m.slow, m.damaged, m.writesFail} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) committed(writes int, took time.Duration, err error) {
	result := "done"
	if err != nil {
		result = "failed"
	}
	m.commitSeconds.WithLabelValues(result).Observe(took.Seconds())
	m.shared.Observe(float64(writes))
	m.failed(err)
}

// health tells what is wrong with the database.
func (m *metrics) health(damaged, writesFail bool) {
	set := func(g prometheus.Gauge, on bool) {
		g.Set(0)
		if on {
			g.Set(1)
		}
	}
	set(m.damaged, damaged)
	set(m.writesFail, writesFail)
}

// failed counts an error that means the database could not be used.
func (m *metrics) failed(err error) {
	if errors.Is(err, taxii.ErrUnavailable) {
		m.unavailable.Inc()
	}
}

func (m *metrics) count(outcome string, n int) {
	if n > 0 {
		m.rows.WithLabelValues(outcome).Add(float64(n))
	}
}
