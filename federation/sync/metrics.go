package sync

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts replication; no label names a peer, because peers are many and come from outside.
type metrics struct {
	pulls         *prometheus.CounterVec // by outcome
	objects       *prometheus.CounterVec // by outcome
	seconds       prometheus.Histogram
	subscriptions prometheus.Gauge
	failing       prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		pulls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "skjold_sync_pulls_total", Help: "Pages asked of peers, by outcome: applied, empty, conflict, failed.",
		}, []string{"outcome"}),
		objects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "skjold_sync_objects_total", Help: "Objects received from peers, by outcome: stored, known, quarantined, tombstoned.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "skjold_sync_page_seconds", Help: "Time to get and store one page, in seconds.",
			Buckets: prometheus.ExponentialBuckets(0.005, 3, 9),
		}),
		subscriptions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "skjold_sync_subscriptions", Help: "Subscriptions that this process pulls.",
		}),
		failing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "skjold_sync_failing_subscriptions", Help: "Subscriptions of this process whose last pull failed.",
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.pulls, m.objects, m.seconds, m.subscriptions, m.failing} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) applied(a Applied) {
	m.objects.WithLabelValues("stored").Add(float64(a.Stored))
	m.objects.WithLabelValues("known").Add(float64(a.Known))
	m.objects.WithLabelValues("quarantined").Add(float64(a.Quarantined))
	m.objects.WithLabelValues("tombstoned").Add(float64(a.Tombstoned))
}
