package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skjold-exchange/skjold/cache"
	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/store"
)

// openCache puts the cache that a configuration asks for in front of a store.
func openCache(s *store.Store, cfg *config.Config, log *slog.Logger, r prometheus.Registerer) (*cache.Store, error) {
	redis, err := redisOf(cfg.Redis)
	if err != nil {
		return nil, err
	}
	return cache.New(s, cache.Options{Bytes: int64(cfg.Cache.Size), Redis: redis, Logger: log, Registerer: r})
}

// redisOf reads what a configuration says of Redis, files included; nil where it says nothing.
func redisOf(cfg config.Redis) (*cache.Redis, error) {
	if len(cfg.Addresses) == 0 {
		return nil, nil
	}
	password, err := cfg.Secret()
	if err != nil {
		return nil, err
	}
	r := &cache.Redis{
		Addresses: cfg.Addresses, Master: cfg.Master, Cluster: cfg.Cluster, Database: cfg.Database,
		Username: cfg.Username, Password: password,
		SentinelUsername: cfg.SentinelUsername, SentinelPassword: string(cfg.SentinelPassword),
	}
	if !cfg.TLS {
		return r, nil
	}
	r.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile == "" {
		return r, nil
	}
	pem, err := os.ReadFile(cfg.CAFile)
	if err != nil {
		return nil, fmt.Errorf("redis.ca_file: %w", err)
	}
	r.TLS.RootCAs = x509.NewCertPool()
	if !r.TLS.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("redis.ca_file: %s has no certificate in PEM form", cfg.CAFile)
	}
	return r, nil
}
