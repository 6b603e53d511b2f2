package cache

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Where answers come from.
const (
	fromPosition = "position" // there is nothing after the position asked from
	fromMemory   = "memory"
	fromRedis    = "redis"
	fromStore    = "store"
)

// Why pages leave the memory.
const (
	reasonTouched  = "touched"  // entries that they depend on changed
	reasonAppended = "appended" // they reached the end of the log
	reasonSize     = "size"     // others needed the memory
	reasonDropped  = "dropped"  // the collection is gone or was restored, or it is not known what changed
)

// metrics of the cache. Labels take values from fixed lists.
type metrics struct {
	answers      map[string]prometheus.Counter
	evictions    *prometheus.CounterVec
	checks       *prometheus.CounterVec
	calls        *prometheus.CounterVec
	callsSeconds *prometheus.HistogramVec
	values       *prometheus.CounterVec
	bytes        prometheus.GaugeFunc
}

func newMetrics(r prometheus.Registerer, bytes func() uint64) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		evictions: counter("skjold_cache_evictions_total",
			"Pages that left the memory by reason: touched, appended, size, dropped.", "reason"),
		checks: counter("skjold_cache_checks_total", "Reads of the state of a collection by result.", "result"),
		calls:  counter("skjold_cache_redis_calls_total", "Calls of Redis by call and result: done, failed, skipped, dropped.", "call", "result"),
		callsSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "skjold_cache_redis_seconds", Help: "Time of the calls of Redis.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 12),
		}, []string{"call"}),
		values: counter("skjold_cache_redis_values_total",
			"What came from Redis: found, absent, outdated, garbage (pages), message (another process's write).", "kind"),
		bytes: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "skjold_cache_bytes", Help: "Memory that the pages take.",
		}, func() float64 { return float64(bytes()) }),
	}
	answers := counter("skjold_cache_answers_total",
		"Pages served by where they came from: position (nothing new), memory, redis, store (made from the database).", "from")
	m.answers = make(map[string]prometheus.Counter)
	for _, from := range []string{fromPosition, fromMemory, fromRedis, fromStore} {
		m.answers[from] = answers.WithLabelValues(from)
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{answers, m.evictions, m.checks, m.calls, m.callsSeconds, m.values, m.bytes} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) answered(from string) { m.answers[from].Inc() }

func (m *metrics) evicted(reason string, n int) {
	if n > 0 {
		m.evictions.WithLabelValues(reason).Add(float64(n))
	}
}

func (m *metrics) checked(err error) {
	result := "done"
	if err != nil {
		result = "failed"
	}
	m.checks.WithLabelValues(result).Inc()
}

func (m *metrics) redisCall(call, result string) { m.calls.WithLabelValues(call, result).Inc() }

func (m *metrics) redisTook(call string, took time.Duration) {
	m.callsSeconds.WithLabelValues(call).Observe(took.Seconds())
}

func (m *metrics) redisValue(kind string) { m.values.WithLabelValues(kind).Inc() }
