package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/skjold-exchange/skjold/federation"
	fedsync "github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/stix/pattern"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// hub is a node that several processes serve on PostgreSQL, each of them the program in a process of its own.
type hub struct {
	t         *testing.T
	dir       dataDir
	made      initJSON
	store     *store.Store // beside them
	settings  []string
	processes []*process
}

// startHub makes a node and starts n processes of it. The first one's address is the node's.
func startHub(t *testing.T, n int, settings ...string) *hub {
	t.Helper()
	address := newSchema(t)
	h := &hub{t: t, dir: dataDir(filepath.Join(t.TempDir(), "hub")), settings: append([]string{"SKJOLD_DATABASE_URL=" + address}, settings...)}
	h.made = initialiseBy(t, h.dir, h.settings...)
	var err error
	if h.store, err = store.Open(t.Context(), store.Options{URL: address, PatternValues: pattern.Values}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.store.Close() })
	for range n {
		h.start()
	}
	return h
}

// start starts one more process.
func (h *hub) start() *process {
	h.t.Helper()
	listen := strings.TrimPrefix(h.made.Entity, "http://")
	if len(h.processes) > 0 {
		listen = "127.0.0.1:" + freePort(h.t)
	}
	p := startProcess(h.t, h.dir, append([]string{"SKJOLD_LISTEN=" + listen}, h.settings...)...)
	h.processes = append(h.processes, p)
	return p
}

// puller waits until a process other than one pulls a subscription, and returns it.
func (h *hub) puller(subscription int64, other *process) *process {
	h.t.Helper()
	var found *process
	eventually(h.t, 20*time.Second, func() error {
		all, err := h.store.Processes(h.t.Context())
		if err != nil {
			return err
		}
		for _, named := range all {
			if !slices.Contains(named.Duties, fmt.Sprint(pulling, subscription)) {
				continue
			}
			for _, p := range h.processes {
				if p != other && strings.HasSuffix(named.Name, fmt.Sprint(":", p.cmd.Process.Pid)) {
					found = p
					return nil
				}
			}
		}
		return fmt.Errorf("nobody pulls subscription %d; the processes are %+v", subscription, all)
	})
	return found
}

// peerOf makes a node on SQLite that runs, lets the hub pull from it, and subscribes the hub to it.
func (h *hub) peerOf() (dir dataDir, made initJSON, subscription int64) {
	t := h.t
	t.Helper()
	dir, made = newNodeDir(t, "peer")
	st := openDirStore(t, dir)
	pin(t, st, h.dir, h.made)
	pin(t, h.store, dir, made)
	if err := st.AllowPeer(t.Context(), federation.EntityID(h.made.Entity), made.Collection, taxii.Rights{Read: true}, stix.TLPGreen); err != nil {
		t.Fatal(err)
	}
	startProcess(t, dir, hurried...)
	sub, err := h.store.Subscribe(t.Context(), fedsync.Subscription{Peer: federation.EntityID(made.Entity), Collection: firstAlias, Into: h.made.Collection})
	if err != nil {
		t.Fatal(err)
	}
	return dir, made, sub.ID
}

// pulls is how many pages a process has asked of peers.
func (p *process) pulls(t *testing.T) int {
	t.Helper()
	res, err := http.Get(p.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, m := range regexp.MustCompile(`(?m)^skjold_sync_pulls_total\{[^}]*\} ([0-9]+)$`).FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}

// TestHubPulls holds that one process of a hub at a time pulls a subscription, that another takes it over within seconds
// when it is killed by kill -9 and when it is halted, and that one that was halted and goes on, and thinks for a moment
// that it still has it, makes nothing come twice.
func TestHubPulls(t *testing.T) {
	t.Parallel()
	h := startHub(t, 2, hurried...)
	_, made, subscription := h.peerOf()
	client := clientOf(t, made.Entity, made)
	published := 0
	// publish publishes some objects at the peer and waits until the hub has all of them.
	publish := func() {
		t.Helper()
		var objects [][]byte
		for range 25 {
			objects = append(objects, fmt.Appendf(nil, `{"type":"ipv4-addr","spec_version":"2.1","id":"ipv4-addr--%s","value":"198.51.100.%d"}`, uuid.NewString(), published%250))
			published++
		}
		if _, err := client.Submit(t.Context(), made.Collection, objects, ""); err != nil {
			t.Fatal(err)
		}
		eventually(t, 30*time.Second, func() error {
			c, err := h.store.Collection(t.Context(), h.made.Collection)
			if err == nil && c.Objects != int64(published) {
				err = fmt.Errorf("the hub has %d objects of %d", c.Objects, published)
			}
			return err
		})
	}
	publish()
	owner := h.puller(subscription, nil)
	for _, p := range h.processes {
		if n := p.pulls(t); (n > 0) != (p == owner) {
			t.Errorf("a process has asked for %d pages, and that it pulls is %v", n, p == owner)
		}
	}
	began := time.Now()
	owner.kill()
	next := h.puller(subscription, owner)
	t.Logf("killed: another process pulls after %s", time.Since(began).Round(100*time.Millisecond))
	publish()
	third := h.start()
	if err := next.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	if p := h.puller(subscription, next); p != third {
		t.Error("a process pulls that was killed")
	}
	t.Logf("halted: another process pulls after %s", time.Since(began).Round(100*time.Millisecond))
	publish()
	if err := next.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	publish()
	// The process that was halted has learned that it is another's: it asks no more.
	eventually(t, 20*time.Second, func() error {
		before := next.pulls(t)
		publish()
		if after := next.pulls(t); after > before {
			return fmt.Errorf("it has asked for %d more pages", after-before)
		}
		return nil
	})
	if p := h.puller(subscription, nil); p != third {
		t.Error("it took the subscription back")
	}
	// Stopped in order, it leaves the subscription at once.
	if err := third.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if p := h.puller(subscription, third); p != next {
		t.Error("the process that is left does not pull")
	}
	publish()
	if findings, err := h.store.Verify(t.Context()); err != nil || len(findings) > 0 {
		t.Errorf("verify: %v, %v", findings, err)
	}
}

// TestHubTokens sends the same request of a peer to two processes of a hub: the second refuses it, whether the processes
// share a Redis or not.
func TestHubTokens(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]func(*testing.T) []string{
		"with Redis":    redisSettings,
		"without Redis": func(*testing.T) []string { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			h := startHub(t, 2, settings(t)...)
			dir, made := newNodeDir(t, "peer")
			pin(t, h.store, dir, made)
			keys, err := federation.LoadKeys(dir.keys())
			if err != nil {
				t.Fatal(err)
			}
			signer := &federation.Signer{Entity: federation.EntityID(made.Entity), Key: keys.Request}
			path := "/taxii2/main/collections/" + h.made.Collection + "/objects/"
			for i, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodGet} {
				signed, err := http.NewRequestWithContext(t.Context(), method, h.made.Entity+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				signed.Header.Set("Accept", taxii.MediaType)
				// Tokens from before a process was ready are refused, and times of issue are whole seconds.
				eventually(t, 10*time.Second, func() error {
					if err := signer.SignRequest(signed, federation.EntityID(h.made.Entity), nil); err != nil {
						return err
					}
					first := sendTo(t, h.processes[i%2], signed)
					second := sendTo(t, h.processes[(i+1)%2], signed)
					if first == http.StatusUnauthorized {
						return fmt.Errorf("%s: the first process answers %d", method, first)
					}
					if second != http.StatusUnauthorized {
						t.Errorf("%s: the first process answers %d, and the second one %d to the same token", method, first, second)
					}
					return nil
				})
			}
		})
	}
}

// sendTo sends a signed request to a process and returns the status.
func sendTo(t *testing.T, p *process, signed *http.Request) int {
	t.Helper()
	r := signed.Clone(t.Context())
	r.URL.Host, r.Host = strings.TrimPrefix(p.url, "http://"), signed.URL.Host
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}
