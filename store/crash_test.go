package store_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/federation"
	feedsync "github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// The test binary runs itself as a second process of the node: childJob tells it what to do.
const childVariable = "SKJOLD_TEST_CHILD"

type childJob struct {
	Work       string // crash or write
	Dir, URL   string // of the store
	Collection string
	Run        int // distinguishes the objects of one process from another's
	Count      int
}

func TestMain(m *testing.M) {
	text := os.Getenv(childVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var job childJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		panic(err)
	}
	if err := job.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (j childJob) run() error {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{Dir: j.Dir, URL: j.URL})
	if err != nil {
		return err
	}
	if j.Work == "crash" {
		return j.untilKilled(ctx, s)
	}
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil { // both processes begin together
		return err
	}
	for k := range j.Count {
		if err := submit(ctx, s, j.Collection, j.Run, 0, k); err != nil {
			return err
		}
	}
	return s.Close()
}

// untilKilled adds from several goroutines and applies pages, and writes a line for each that was acknowledged.
func (j childJob) untilKilled(ctx context.Context, s *store.Store) error {
	var wg sync.WaitGroup
	failures := make(chan error, 5)
	for g := range 4 {
		wg.Go(func() {
			for k := range j.Count {
				if err := submit(ctx, s, j.Collection, j.Run, g, k); err != nil {
					failures <- err
					return
				}
				fmt.Printf("add %d %d\n", g, k) // one write: lines of several goroutines do not mix
			}
		})
	}
	wg.Go(func() {
		for range j.Count {
			subs, err := s.Subscriptions(ctx)
			if err != nil {
				failures <- err
				return
			}
			n, _ := strconv.Atoi(subs[0].Cursor.Next)
			if _, err := s.Apply(ctx, pulledPage(subs[0], n+1)); err != nil {
				failures <- err
				return
			}
			fmt.Printf("apply %d\n", n+1)
		}
	})
	wg.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return errors.New("the child was not killed before its work was done")
	}
}

// perSubmission is the number of objects in a submission and in a page.
const perSubmission = 3

func madeObject(kind string, run, g, k, n int) *stix.Object {
	o, err := stix.Parse(fmt.Appendf(nil, `{"type":"indicator","spec_version":"2.1","id":"indicator--%08x-%04x-4%03x-8000-%012x","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"%s %d %d %d %d"}`,
		run, g, n, k, kind, run, g, k, n), stix.DefaultLimits())
	if err != nil {
		panic(err)
	}
	return o
}

func submit(ctx context.Context, s *store.Store, collection string, run, g, k int) error {
	items := make([]taxii.Item, perSubmission)
	for n := range items {
		items[n].Object = madeObject("add", run, g, k, n)
	}
	status, err := s.Add(ctx, taxii.Submission{Collection: collection, Account: "crash", Received: time.Now(), Items: items})
	if err == nil && status.SuccessCount != perSubmission {
		err = fmt.Errorf("status %+v", status)
	}
	return err
}

// pulledPage is the nth page of the peer: two new objects and one for the quarantine.
func pulledPage(sub feedsync.Subscription, n int) feedsync.PulledPage {
	page := feedsync.PulledPage{Subscription: sub.ID, From: sub.Cursor, To: feedsync.Cursor{Next: strconv.Itoa(n)}, Received: time.Now()}
	for i := range perSubmission {
		item := feedsync.PulledItem{Item: taxii.Item{Object: madeObject("apply", 0xffffffff, 0, n, i)}}
		if i == perSubmission-1 {
			item.Refused = "not wanted"
		}
		page.Items = append(page.Items, item)
	}
	return page
}

func startChild(t *testing.T, job childJob) (*exec.Cmd, io.WriteCloser, io.Reader) {
	t.Helper()
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("the child said: %s", stderr.String())
		}
	})
	return cmd, stdin, stdout
}

func TestSQLiteKill(t *testing.T) {
	testKill(t, newKillRig(t, store.Options{Dir: t.TempDir()}), 25)
}

func TestPostgreSQLKill(t *testing.T) {
	testKill(t, newKillRig(t, store.Options{URL: newSchema(t)}), 10)
}

// testKill kills a process that writes, again and again at random moments, and checks after each time that what it
// acknowledged is there. SKJOLD_TEST_KILLS sets the number of times.
func testKill(t *testing.T, rig *killRig, kills int) {
	t.Helper()
	if text := os.Getenv("SKJOLD_TEST_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatalf("SKJOLD_TEST_KILLS: %v", err)
		}
	}
	r := rand.New(rand.NewPCG(9, uint64(kills)))
	for run := range kills {
		rig.killOne(t, run, 1+r.IntN(60), r.IntN(2000))
		rig.check(t, run)
		if t.Failed() {
			return
		}
	}
}

type killRig struct {
	options    store.Options
	collection string
	added      map[string]bool // "run g k" of acknowledged submissions
	applied    int             // the last acknowledged page
}

func newKillRig(t *testing.T, o store.Options) *killRig {
	t.Helper()
	rig := &killRig{options: o, added: make(map[string]bool)}
	s := rig.open(t)
	c, err := s.AddCollection(t.Context(), store.NewCollection{Title: "Killed"})
	if err != nil {
		t.Fatal(err)
	}
	rig.collection = c.ID
	const peer federation.EntityID = "https://peer.example.org"
	if err := s.AddPeer(t.Context(), federation.Peer{Entity: peer, JWKS: []byte("{}")}, false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Subscribe(t.Context(), feedsync.Subscription{Peer: peer, Collection: "feed", Into: c.ID}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return rig
}

func (rig *killRig) open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), rig.options)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

// killOne starts a writer and kills it some moments after a number of acknowledgements.
func (rig *killRig) killOne(t *testing.T, run, acknowledgements, moments int) {
	t.Helper()
	cmd, _, stdout := startChild(t, childJob{Work: "crash", Dir: rig.options.Dir, URL: rig.options.URL, Collection: rig.collection, Run: run, Count: 100_000})
	lines := bufio.NewScanner(stdout)
	for n := 0; lines.Scan(); n++ {
		rig.acknowledged(t, run, lines.Text())
		if n == acknowledgements {
			for range moments {
				runtime.Gosched()
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		} // and what it had written before it died counts too
	}
	_ = cmd.Wait() // killed
	if cmd.ProcessState.Success() || cmd.ProcessState.ExitCode() == 1 {
		t.Fatalf("the child ended by itself: %v", cmd.ProcessState)
	}
}

func (rig *killRig) acknowledged(t *testing.T, run int, line string) {
	t.Helper()
	var g, k int
	if _, err := fmt.Sscanf(line, "add %d %d", &g, &k); err == nil {
		rig.added[fmt.Sprint(run, g, k)] = true
	} else if _, err := fmt.Sscanf(line, "apply %d", &k); err == nil {
		rig.applied = max(rig.applied, k)
	} // a last line that was cut off is no acknowledgement
}

// check opens the store and compares it with what was acknowledged.
func (rig *killRig) check(t *testing.T, run int) {
	t.Helper()
	s := rig.open(t)
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	findings, err := s.Verify(t.Context())
	if err != nil || len(findings) > 0 {
		t.Errorf("after kill %d: Verify: %v, %v", run, err, findings)
	}
	stored := make(map[string]int) // objects by submission or page
	q := taxii.Query{Collection: rig.collection, Limit: 10_000, Version: taxii.VersionMatch{All: true}, Bytes: true}
	for more := true; more; {
		page, err := s.Entries(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			if e.DateAdded <= q.After {
				t.Errorf("after kill %d: %v follows %v", run, e.DateAdded, q.After)
			}
			q.After = e.DateAdded
			_, name, _ := strings.Cut(string(e.Raw), `"name":"`)
			words := strings.Fields(strings.TrimSuffix(name, `"}`))
			stored[strings.Join(words[:4], " ")]++
		}
		more = page.More
	}
	for key := range rig.added {
		if stored["add "+key] != perSubmission {
			t.Errorf("after kill %d: the acknowledged submission %s has %d objects", run, key, stored["add "+key])
		}
	}
	subs, err := s.Subscriptions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cursor, _ := strconv.Atoi(subs[0].Cursor.Next)
	if cursor < rig.applied {
		t.Errorf("after kill %d: the cursor is at page %d, page %d was acknowledged", run, cursor, rig.applied)
	}
	pages := 0
	for key, n := range stored { // whole or not at all, acknowledged or not
		want := perSubmission
		if strings.HasPrefix(key, "apply") {
			want = perSubmission - 1
			pages++
		}
		if n != want {
			t.Errorf("after kill %d: %s has %d objects, want %d", run, key, n, want)
		}
	}
	rows, err := s.Quarantine(t.Context(), 1_000_000)
	if err != nil || pages != cursor || len(rows) != cursor || subs[0].Quarantined != int64(cursor) {
		t.Errorf("after kill %d: the cursor is at page %d, with %d pages stored, %d quarantined, %v", run, cursor, pages, len(rows), err)
	}
}

func TestSQLiteTwoProcesses(t *testing.T) {
	testTwoProcesses(t, newKillRig(t, store.Options{Dir: t.TempDir()}))
}

func TestPostgreSQLTwoProcesses(t *testing.T) {
	testTwoProcesses(t, newKillRig(t, store.Options{URL: newSchema(t)}))
}

// testTwoProcesses writes to one store from two processes at the same time.
func testTwoProcesses(t *testing.T, rig *killRig) {
	t.Helper()
	s := rig.open(t)
	defer s.Close()
	const count = 100
	cmd, stdin, _ := startChild(t, childJob{Work: "write", Dir: rig.options.Dir, URL: rig.options.URL, Collection: rig.collection, Run: 1, Count: count})
	if _, err := io.WriteString(stdin, "go\n"); err != nil {
		t.Fatal(err)
	}
	for k := range count {
		if err := submit(t.Context(), s, rig.collection, 2, 0, k); err != nil {
			t.Fatal(err)
		}
		for run := 1; run <= 2; run++ {
			rig.added[fmt.Sprint(run, 0, k)] = true
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the other process: %v", err)
	}
	rig.check(t, 0)
	if c, err := s.Collection(t.Context(), rig.collection); err != nil || c.Objects != 2*count*perSubmission {
		t.Errorf("Collection = %+v, %v, want %d objects", c, err, 2*count*perSubmission)
	}
}
