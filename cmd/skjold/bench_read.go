package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// readCase is a request that is measured.
type readCase struct {
	name   string
	file   string // of its body at the yardsticks
	query  string
	coding string
	target bound // of the ratio to nginx
}

// benchRead measures R1, R2 and R3.
func benchRead(ctx context.Context, b *bench) (err error) {
	database, err := b.databaseURL()
	if err != nil {
		return err
	}
	n, err := b.newNode(ctx, "read", database, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	access := n.account()
	lots, err := envelopes(newBenchFeed(benchSeed), b.objects)
	if err != nil {
		return err
	}
	if err := b.fill(ctx, access, lots); err != nil {
		return err
	}
	held, err := n.node.store.Collection(ctx, n.collection)
	if err != nil {
		return err
	}
	cases := []readCase{
		{"R1 gzip", "r1.json", "?limit=1000", "gzip", bound{least: 0.70}},
		{"R1 plain", "r1.json", "?limit=1000", "", bound{least: 0.60}},
		{"R1 zstd", "r1.json", "?limit=1000", "zstd", bound{}},
		{"R2 gzip", "r2.json", "?limit=100", "gzip", bound{least: 0.55}},
		{"R3", "r3.json", "?added_after=" + held.Last.String(), "", bound{least: 0.70}},
	}
	return b.readCases(ctx, access, cases)
}

// readCases serves what the node answers from the yardsticks too, and measures all.
func (b *bench) readCases(ctx context.Context, access benchAccess, cases []readCase) (err error) {
	var samples []yardstickBody
	for _, c := range cases {
		body, header, err := access.get(ctx, c.query, c.coding)
		if err != nil {
			return err
		}
		if got := header.Get("Content-Encoding"); got != c.coding {
			return fmt.Errorf("%s: asked for the coding %q, got %q", c.name, c.coding, got)
		}
		samples = append(samples, yardstickBody{path: c.file, coding: c.coding, body: body})
		b.note("%s: %d octets", c.name, len(body))
	}
	plain, err := startPlain(samples)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plain.close()) }()
	// gzip_static wants the file itself to be there.
	files := append([]yardstickBody{{path: "r2.json", body: []byte("{}")}}, samples...)
	nginx, err := startNginx(ctx, b.work, files)
	if err != nil {
		return err
	}
	if nginx != nil {
		defer func() { err = errors.Join(err, nginx.close()) }()
	}
	for i, c := range cases {
		if err := b.readCase(ctx, access, c, samples[i], plain, nginx); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

func (b *bench) readCase(ctx context.Context, access benchAccess, c readCase, s yardstickBody, plain *plainHandler, nginx *nginxServer) error {
	header := http.Header{"Accept-Encoding": {c.coding}}
	questions := []question{{access.objects + c.query, access.header(c.coding)}, {plain.url + s.name(), header}}
	if nginx != nil {
		if c.coding == "zstd" { // the nearest that nginx has
			header = http.Header{"Accept-Encoding": {"gzip"}}
		}
		questions = append(questions, question{nginx.url + c.file, header})
	}
	rates := make([][]float64, len(questions))
	bar := newProgress(b.err, int64(b.rounds), false, c.name)
	for range b.rounds {
		for i, q := range questions {
			rate, err := b.load.rate(ctx, q, b.connections, b.duration)
			if err != nil {
				return err
			}
			rates[i] = append(rates[i], rate)
		}
		bar.add(1)
	}
	bar.done()
	b.compared(c.name, "requests/s", "net/http, bytes ready", rates[0], rates[1], bound{})
	if nginx != nil {
		against := "nginx"
		if c.coding != "" {
			against = "nginx, gzip_static"
		}
		b.compared(c.name, "requests/s", against, rates[0], rates[2], c.target)
	}
	return nil
}

// fill publishes lots of objects, two requests at a time.
func (b *bench) fill(ctx context.Context, access benchAccess, lots [][][]byte) error {
	bar := newProgress(b.err, int64(len(lots)), false, "publishing")
	defer bar.done()
	return inParallel(ctx, 2, len(lots), func(ctx context.Context, i int) error {
		defer bar.add(1)
		return access.post(ctx, lots[i])
	})
}

// inParallel calls fn for 0 to n-1 on some goroutines, until one call fails.
func inParallel(ctx context.Context, goroutines, n int, fn func(ctx context.Context, i int) error) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(goroutines, n) {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := fn(ctx, i); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}
