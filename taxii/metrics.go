package taxii

import (
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the server's counters. Every label has a bounded set of values.
type metrics struct {
	requests *prometheus.CounterVec   // by operation, status class and kind of principal
	duration *prometheus.HistogramVec // seconds, by operation
	served   *prometheus.CounterVec   // objects sent, by kind of principal
	limited  *prometheus.CounterVec   // requests answered 429, by kind of principal
	received *prometheus.CounterVec   // objects of submissions, by outcome

	operations map[string]*operationMetrics // by name
}

// Outcomes of a received object.
const (
	outcomeSuccess = "success"
	outcomeFailure = "failure"
	outcomePending = "pending"
)

func newMetrics(r prometheus.Registerer, operations []string) *metrics {
	m := &metrics{
		requests: registered(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "skjold_taxii_requests_total", Help: "TAXII requests answered.",
		}, []string{"operation", "class", "principal"})),
		duration: registered(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "skjold_taxii_request_duration_seconds", Help: "Time to answer a TAXII request.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30},
		}, []string{"operation"})),
		served: registered(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "skjold_taxii_objects_served_total", Help: "STIX objects sent to callers.",
		}, []string{"principal"})),
		limited: registered(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "skjold_taxii_limited_total", Help: "TAXII requests answered with 429, as the caller had used up what it may ask for.",
		}, []string{"principal"})),
		received: registered(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "skjold_taxii_objects_received_total", Help: "STIX objects of submissions, by what became of them.",
		}, []string{"outcome"})),
		operations: make(map[string]*operationMetrics),
	}
	for _, name := range operations {
		m.operations[name] = &operationMetrics{}
	}
	return m
}

// registered registers c, or returns the collector of the same name that another server has registered before.
func registered[C prometheus.Collector](r prometheus.Registerer, c C) C {
	if r == nil {
		return c
	}
	err := r.Register(c)
	var known prometheus.AlreadyRegisteredError
	if errors.As(err, &known) {
		if same, ok := known.ExistingCollector.(C); ok {
			return same
		}
	}
	if err != nil {
		panic("taxii: " + err.Error())
	}
	return c
}

func (m *metrics) request(x *exchange, kind string, took time.Duration) {
	op := m.operations[x.operation]
	if op == nil {
		op = &operationMetrics{}
	}
	op.request(m, x, kind).Inc()
	lasting(&op.duration, func() prometheus.Observer { return m.duration.WithLabelValues(x.operation) }).Observe(took.Seconds())
	if x.status == http.StatusTooManyRequests {
		m.limited.WithLabelValues(kind).Inc()
	}
	if x.served > 0 {
		m.served.WithLabelValues(kind).Add(float64(x.served))
	}
}

// operationMetrics are those of one operation, so that they are not looked for at each request. They are made when they
// are first counted: what never happened is not shown.
type operationMetrics struct {
	duration atomic.Pointer[prometheus.Observer]
	requests [6][len(kindLabels)]atomic.Pointer[prometheus.Counter] // by the hundreds of the status and kind
}

func (o *operationMetrics) request(m *metrics, x *exchange, kind string) prometheus.Counter {
	class := x.status / 100
	find := func() prometheus.Counter {
		return m.requests.WithLabelValues(x.operation, strconv.Itoa(class)+"xx", kind)
	}
	for i, label := range kindLabels {
		if label == kind && class < len(o.requests) {
			return lasting(&o.requests[class][i], find)
		}
	}
	return find()
}

// lasting returns what was found before, or finds it now.
func lasting[T any](known *atomic.Pointer[T], find func() T) T {
	if v := known.Load(); v != nil {
		return *v
	}
	v := find()
	known.Store(&v)
	return v
}

func (m *metrics) submission(st Status) {
	m.received.WithLabelValues(outcomeSuccess).Add(float64(st.SuccessCount))
	m.received.WithLabelValues(outcomeFailure).Add(float64(st.FailureCount))
	m.received.WithLabelValues(outcomePending).Add(float64(st.PendingCount))
}

// kindLabels are the values of the label principal.
var kindLabels = [...]string{string(ClientAccount), string(PeerNode), "other", "none"}

func kindLabel(k PrincipalKind) string {
	if k == ClientAccount || k == PeerNode {
		return string(k)
	}
	return "other"
}
