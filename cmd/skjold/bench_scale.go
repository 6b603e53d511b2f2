package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

const (
	smallAlias = "small"
	// scaleSamples is how often each collection is asked in a round.
	scaleSamples = 40
)

// benchScale measures a large collection against a small one of the same node, which runs as a process of its own, so that
// its memory can be told.
func benchScale(ctx context.Context, b *bench) (err error) {
	if b.small < 1 || b.large <= b.small {
		return usagef("--large is more than --small, and that is positive")
	}
	dir := dataDir(filepath.Join(b.work, "scale"))
	s, err := b.prepareScale(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.store.Close()) }()
	if err := s.start(ctx, dir, s.cfg.Listen); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.fill(ctx); err != nil {
		return err
	}
	// Another process, so that its memory is that of serving.
	if err := errors.Join(s.stop(), s.start(ctx, dir, s.cfg.Listen)); err != nil {
		return err
	}
	if err := s.measure(ctx); err != nil {
		return err
	}
	return s.memory(ctx)
}

// scale is the node with the two collections.
type scale struct {
	*bench
	cfg          *config.Config
	store        *store.Store // the node's, beside the process that serves it
	cmd          *exec.Cmd
	large, small scaled
}

// scaled is one of the collections.
type scaled struct {
	benchAccess
	id          string
	objects     int
	first, last taxii.DateAdded
	rng         *rand.Rand
	ids         []string // of some objects
}

// prepareScale makes the node, or takes that of an earlier run.
func (b *bench) prepareScale(ctx context.Context, dir dataDir) (*scale, error) {
	database, err := b.databaseURL()
	if err != nil {
		return nil, err
	}
	env := []string{}
	if database != "" {
		env = append(env, "SKJOLD_DATABASE_URL="+database)
	}
	ok, err := dir.initialised()
	if err == nil && !ok {
		var address string
		if address, err = freeAddress(); err == nil {
			_, err = initialise(ctx, dir, initOptions{entity: "http://" + address, listen: address, defaultTLP: stix.TLPGreen, env: env})
		}
	}
	if err != nil {
		return nil, err
	}
	s := &scale{bench: b}
	if s.cfg, err = config.Load(config.LoadOptions{File: dir.config(), Env: env}); err != nil {
		return nil, err
	}
	if s.store, err = openStore(ctx, dir, s.cfg); err != nil {
		return nil, err
	}
	if err := s.collections(ctx); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

// collections finds or makes both, and gives the account that asks a new key.
func (s *scale) collections(ctx context.Context) error {
	large, err := s.store.FindCollection(ctx, firstAlias)
	if err != nil {
		return err
	}
	small, err := s.store.FindCollection(ctx, smallAlias)
	if isNotFound(err) {
		small, err = s.store.AddCollection(ctx, store.NewCollection{Title: "Small", Alias: smallAlias, DefaultTLP: stix.TLPGreen})
	}
	if err != nil {
		return err
	}
	key, err := s.store.RotateClient(ctx, benchAccount, 0)
	if isNotFound(err) {
		both := taxii.Rights{Read: true, Write: true}
		key, err = s.store.AddClient(ctx, store.Client{Name: benchAccount, Rights: map[string]taxii.Rights{large.ID: both, small.ID: both}})
	}
	if err != nil {
		return err
	}
	client := newBenchClient()
	access := func(c taxii.Collection) benchAccess {
		return benchAccess{client: client, objects: apiRootURL(s.cfg) + "collections/" + c.ID + "/objects/", user: benchAccount, key: key}
	}
	s.large = scaled{benchAccess: access(large), id: large.ID, objects: s.bench.large, rng: rand.New(rand.NewPCG(benchSeed, 1))}
	s.small = scaled{benchAccess: access(small), id: small.ID, objects: s.bench.small, rng: rand.New(rand.NewPCG(benchSeed, 2))}
	return nil
}

// start runs serve in a process of its own.
func (s *scale) start(ctx context.Context, dir dataDir, listen string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	s.cmd = exec.Command(program, "serve", "--data", string(dir))
	s.cmd.Env = append(withoutSettings(os.Environ()), "SKJOLD_LIMITS_REQUEST_RATE=0", "SKJOLD_LIMITS_BYTE_RATE=0B", "SKJOLD_LOG_FORMAT=json")
	if url := string(s.cfg.Database.URL); url != "" {
		s.cmd.Env = append(s.cmd.Env, "SKJOLD_DATABASE_URL="+url)
	}
	if err := s.cmd.Start(); err != nil { // its log goes to the null device
		return err
	}
	if err := answers(ctx, "http://"+listen+"/readyz"); err != nil {
		return errors.Join(fmt.Errorf("the node does not serve; see what 'skjold serve --data %s' says: %w", dir, err), s.stop())
	}
	return nil
}

// withoutSettings is an environment without those that change a node.
func withoutSettings(env []string) []string {
	var kept []string
	for _, v := range env {
		if !strings.HasPrefix(v, "SKJOLD_") || strings.HasPrefix(v, "SKJOLD_TEST_") {
			kept = append(kept, v)
		}
	}
	return kept
}

func (s *scale) stop() error {
	if s.cmd == nil {
		return nil
	}
	cmd := s.cmd
	s.cmd = nil
	return errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait())
}

// fill publishes what is missing in both.
func (s *scale) fill(ctx context.Context) error {
	for _, c := range []*scaled{&s.small, &s.large} {
		held, err := s.store.Collection(ctx, c.id)
		if err != nil {
			return err
		}
		if missing := c.objects - int(held.Objects); missing > 0 {
			begun := time.Now()
			if err := s.publish(ctx, c, uint64(held.Last), missing); err != nil {
				return err
			}
			s.note("published %d objects to a collection of %d in %s", missing, held.Objects, time.Since(begun).Round(time.Second))
		}
		if held, err = s.store.Collection(ctx, c.id); err != nil {
			return err
		}
		c.first, c.last, c.objects = held.Created, held.Last, int(held.Objects)
	}
	return nil
}

// publish makes objects up as it goes: all of them would not fit into memory.
func (s *scale) publish(ctx context.Context, c *scaled, seed uint64, objects int) error {
	const portion = 50 * benchEnvelope
	f := newBenchFeed(seed)
	bar := newProgress(s.err, int64(objects), false, fmt.Sprintf("publishing %d objects", objects))
	defer bar.done()
	for objects > 0 {
		n := min(objects, portion)
		lots, err := envelopes(f, n)
		if err != nil {
			return err
		}
		err = inParallel(ctx, 2, len(lots), func(ctx context.Context, i int) error {
			defer bar.add(len(lots[i]))
			return c.post(ctx, lots[i])
		})
		if err != nil {
			return err
		}
		objects -= n
	}
	return nil
}

// somewhere is a random place in the collection's log.
func (c *scaled) somewhere() string {
	return "?added_after=" + taxii.DateAdded(int64(c.first)+c.rng.Int64N(int64(c.last-c.first))).String()
}

// measure asks both in turn, one request at a time.
func (s *scale) measure(ctx context.Context) error {
	for _, c := range []*scaled{&s.small, &s.large} {
		for len(c.ids) < scaleSamples*s.rounds {
			body, _, err := c.get(ctx, c.somewhere()+"&limit=20", "")
			if err != nil {
				return err
			}
			var page struct {
				Objects []struct {
					ID string `json:"id"`
				} `json:"objects"`
			}
			if err := json.Unmarshal(body, &page); err != nil {
				return err
			}
			for _, o := range page.Objects {
				c.ids = append(c.ids, o.ID)
			}
		}
	}
	asked := 0
	for _, m := range []struct {
		name  string
		query func(c *scaled) string
	}{
		{"page of 1,000 at a random place", func(c *scaled) string { return c.somewhere() + "&limit=1000" }},
		{"page of 100 at a random place", func(c *scaled) string { return c.somewhere() + "&limit=100" }},
		{"empty poll", func(c *scaled) string { return "?added_after=" + c.last.String() }},
		{"object by id", func(c *scaled) string { asked++; return c.ids[asked%len(c.ids)] + "/" }},
	} {
		if err := s.latencies(ctx, m.name, m.query); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// latencies compares the collections by the medians of each round.
func (s *scale) latencies(ctx context.Context, name string, query func(*scaled) string) error {
	var large, small []float64
	var all []float64
	bar := newProgress(s.err, int64(s.rounds), false, name)
	defer bar.done()
	for range s.rounds {
		took := map[*scaled][]float64{}
		for range scaleSamples {
			for _, c := range []*scaled{&s.small, &s.large} {
				q := query(c)
				begun := time.Now()
				if _, _, err := c.get(ctx, q, ""); err != nil {
					return err
				}
				took[c] = append(took[c], float64(time.Since(begun).Microseconds())/1000)
			}
		}
		small, large, all = append(small, median(took[&s.small])), append(large, median(took[&s.large])), append(all, took[&s.large]...)
		bar.add(1)
	}
	s.compared(fmt.Sprintf("%s, %d objects", name, s.large.objects), "ms", fmt.Sprintf("%d objects", s.small.objects), large, small, bound{most: 1.3})
	s.absolute("the same, 99 %", "ms", percentile(all, 0.99), bound{})
	return nil
}

// memory lets many clients poll, and reads what the process has then.
func (s *scale) memory(ctx context.Context) error {
	c := &s.large
	end := time.Now().Add(time.Duration(s.rounds) * s.duration)
	questions := make([]string, 4096)
	for i := range questions {
		questions[i] = c.somewhere() + "&limit=1000"
		if i%4 == 0 {
			questions[i] = "?added_after=" + c.last.String()
		}
	}
	err := inParallel(ctx, s.connections, 1<<30, func(ctx context.Context, i int) error {
		if time.Now().After(end) {
			return errEnough
		}
		_, _, err := c.get(ctx, questions[i%len(questions)], []string{"", "gzip", "zstd"}[i%3])
		return err
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	resident, peak, err := residentMemory(s.cmd.Process.Pid)
	if err != nil {
		s.note("the memory of the node is not told on this system: %v", err)
		return nil
	}
	s.absolute(fmt.Sprintf("resident memory after %d clients polled", s.connections), "MB", resident, bound{most: 400})
	s.absolute("the most resident at any time", "MB", peak, bound{})
	return nil
}

// errEnough ends work that has lasted long enough.
var errEnough = errors.New("enough")

// residentMemory reads VmRSS and VmHWM of a process from /proc (Linux), in MB of 10⁶ octets.
func residentMemory(pid int) (resident, peak float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kib); err == nil {
			resident = kib * 1024 / 1e6
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kib); err == nil {
			peak = kib * 1024 / 1e6
		}
	}
	if resident == 0 || peak == 0 {
		return 0, 0, fmt.Errorf("/proc/%d/status has no VmRSS and VmHWM", pid)
	}
	return resident, peak, nil
}
