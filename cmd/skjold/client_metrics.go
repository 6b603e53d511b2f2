package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skjold-exchange/skjold/store"
)

const (
	// clientMetricsAge is how old the figures of clients may be: they are read from the database, which scrapers, one or
	// many, are not to load.
	clientMetricsAge = 2 * time.Second
	// clientMetricsTimeout bounds the reading; what is not there in time is left out of a scrape.
	clientMetricsTimeout = 5 * time.Second
)

// clientMetrics tells monitoring what 'skjold client list' tells people. The label client has the operator's own names of
// accounts, at most so many of them; the label collection has ids.
type clientMetrics struct {
	store *store.Store
	most  int // accounts that are told one by one
	log   *slog.Logger
	now   func() time.Time

	lastPull, served, failing, lag, accounts *prometheus.Desc

	mu    sync.Mutex // held while reading, so that scrapes at the same time read once
	read  time.Time
	found []prometheus.Metric
}

func newClientMetrics(st *store.Store, most int, log *slog.Logger) *clientMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("skjold_client_"+name, help, labels, nil)
	}
	return &clientMetrics{
		store: st, most: most, log: log, now: time.Now,
		lastPull: desc("last_pull_timestamp_seconds", "When the account last read a collection successfully, in Unix time; 0 for never.", "client"),
		served:   desc("objects_served_total", "Objects that the account has been served.", "client"),
		failing:  desc("failing", "1 if the account's last request failed, else 0.", "client"),
		lag: desc("lag_seconds", "How long the oldest object of the collection has waited that the account may see and has not read; 0 for none. "+
			"Not told of a collection that the account has never polled.", "client", "collection"),
		accounts: desc("accounts", "Accounts of clients: all, never (have not pulled yet), failing (the last request failed), unlisted (beyond metrics.clients).", "state"),
	}
}

// Describe implements prometheus.Collector.
func (m *clientMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.lastPull, m.served, m.failing, m.lag, m.accounts} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *clientMetrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.now(); m.read.IsZero() || now.Sub(m.read) >= clientMetricsAge || now.Before(m.read) {
		ctx, cancel := context.WithTimeout(context.Background(), clientMetricsTimeout)
		defer cancel()
		found, err := m.collect(ctx, now)
		if err != nil {
			m.log.Error("the figures of clients can't be read", "error", err)
			m.read, m.found = time.Time{}, nil
			return
		}
		m.read, m.found = now, found
	}
	for _, metric := range m.found {
		ch <- metric
	}
}

func (m *clientMetrics) collect(ctx context.Context, now time.Time) ([]prometheus.Metric, error) {
	clients, err := m.store.Clients(ctx)
	if err != nil {
		return nil, err
	}
	collections, err := m.store.Collections(ctx)
	if err != nil {
		return nil, err
	}
	var list []prometheus.Metric
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		list = append(list, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...))
	}
	never, failing := 0, 0
	for i, c := range clients {
		pulled, failed := 0.0, 0.0
		if c.LastPull.IsZero() {
			never++
		} else {
			pulled = float64(c.LastPull.UnixMicro()) / 1e6
		}
		if c.LastError != "" {
			failed = 1
			failing++
		}
		if i >= m.most {
			continue
		}
		gauge(m.lastPull, pulled, c.Name)
		gauge(m.failing, failed, c.Name)
		list = append(list, prometheus.MustNewConstMetric(m.served, prometheus.CounterValue, float64(c.ObjectsServed), c.Name))
		progress, err := progressOf(ctx, m.store, collections, c, 1)
		if err != nil {
			return nil, err
		}
		for _, p := range progress {
			if p.position > 0 {
				gauge(m.lag, p.lag(now).Seconds(), c.Name, p.collection.ID)
			}
		}
	}
	for state, n := range map[string]int{"all": len(clients), "never": never, "failing": failing, "unlisted": max(0, len(clients)-m.most)} {
		gauge(m.accounts, float64(n), state)
	}
	return list, nil
}
