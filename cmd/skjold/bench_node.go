package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/sync"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/taxii"
)

// benchSeed begins the randomness of what is published.
const benchSeed = 1

// benchAccount is the account that measures: a client like others, with rights on the collection, and no rate of its own.
const benchAccount = "bench"

// benchEnvelope is how many objects are posted at a time.
const benchEnvelope = 1000

// benchNode is a node in this process.
type benchNode struct {
	dir        dataDir
	node       *node
	apiRoot    string
	collection string // id of the first collection
	key        string
	client     *http.Client

	sink *os.File
	stop context.CancelFunc
	done chan error
}

// newNode makes a node below the directory of the run and serves it. database, if not empty, is the URL of a PostgreSQL
// database; change, if set, alters the configuration.
func (b *bench) newNode(ctx context.Context, name, database string, change func(*config.Config)) (*benchNode, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n := &benchNode{dir: dataDir(filepath.Join(b.work, name))}
	// What is measured are the defaults, whatever the environment says.
	env := []string{}
	if database != "" {
		env = append(env, "SKJOLD_DATABASE_URL="+database)
	}
	address := ln.Addr().String()
	made, err := initialise(ctx, n.dir, initOptions{entity: "http://" + address, listen: address, defaultTLP: stix.TLPGreen, env: env})
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	n.apiRoot, n.collection = made.APIRoot, made.Collection
	cfg, err := config.Load(config.LoadOptions{File: n.dir.config(), Env: env})
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	cfg.Limits.RequestRate, cfg.Limits.ByteRate = 0, 0 // the account asks as much as it can
	if change != nil {
		change(cfg)
	}
	if err := n.open(ctx, cfg, b.applied); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stop, n.done = stop, make(chan error, 1)
	go func() { n.done <- n.node.serve(running, ln) }()
	return n, nil
}

func (n *benchNode) open(ctx context.Context, cfg *config.Config, applied func(sync.Subscription, sync.PulledPage, sync.Applied)) (err error) {
	if n.sink, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil {
		return err
	}
	if n.node, err = openNode(ctx, n.dir, cfg, newLogger(n.sink, cfg.Log), applied); err != nil {
		return errors.Join(err, n.sink.Close())
	}
	rights := map[string]taxii.Rights{n.collection: {Read: true, Write: true}}
	if n.key, err = n.node.store.AddClient(ctx, store.Client{Name: benchAccount, Rights: rights}); err != nil {
		return errors.Join(err, n.node.close(), n.sink.Close())
	}
	n.client = newBenchClient()
	return nil
}

// newBenchClient is an HTTP client that keeps as many connections as it is asked to use.
func newBenchClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}, Timeout: 5 * time.Minute}
}

// close stops serving and closes the node.
func (n *benchNode) close() error {
	n.client.CloseIdleConnections()
	n.stop()
	return errors.Join(<-n.done, n.node.close(), n.sink.Close())
}

// account is who asks, and where.
func (n *benchNode) account() benchAccess {
	return benchAccess{client: n.client, objects: n.apiRoot + "collections/" + n.collection + "/objects/", user: benchAccount, key: n.key}
}

// benchAccess is an account's way to the objects of a collection.
type benchAccess struct {
	client    *http.Client
	objects   string // URL
	user, key string
}

func (a benchAccess) header(coding string) http.Header {
	req := &http.Request{Header: http.Header{}}
	req.SetBasicAuth(a.user, a.key)
	req.Header.Set("Accept", taxii.MediaType)
	if coding == "" {
		coding = "identity"
	}
	req.Header.Set("Accept-Encoding", coding)
	return req.Header
}

// get asks once and returns the answer's body, as it was sent.
func (a benchAccess) get(ctx context.Context, query, coding string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.objects+query, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header = a.header(coding)
	res, err := a.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %.300s", req.URL, res.Status, body)
	}
	return body, res.Header, err
}

// post publishes objects and fails if one is not stored at once.
func (a benchAccess) post(ctx context.Context, raws [][]byte) error {
	body := append(append([]byte(`{"objects":[`), bytes.Join(raws, []byte{','})...), `]}`...)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.objects, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = a.header("")
	req.Header.Set("Content-Type", taxii.MediaType)
	res, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var status taxii.Status
	if res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("POST %s: %s: %.300s", a.objects, res.Status, text)
	}
	if err := json.Unmarshal(text, &status); err != nil {
		return err
	}
	if status.SuccessCount != len(raws) {
		return fmt.Errorf("of %d objects %d were stored: %.300s", len(raws), status.SuccessCount, text)
	}
	return nil
}

// envelopes makes up objects in lots of benchEnvelope, TLP:CLEAR, TLP:GREEN and TLP:AMBER in turn.
func envelopes(f *feed, objects int) ([][][]byte, error) {
	levels := []stix.TLP{stix.TLPClear, stix.TLPGreen, stix.TLPGreen, stix.TLPAmber}
	var lots [][][]byte
	for i := range objects {
		raw, err := f.indicator(levels[i%len(levels)])
		if err != nil {
			return nil, err
		}
		if i%benchEnvelope == 0 {
			lots = append(lots, make([][]byte, 0, min(benchEnvelope, objects-i)))
		}
		lots[len(lots)-1] = append(lots[len(lots)-1], raw)
	}
	return lots, nil
}

// newBenchFeed begins a feed whose objects are in the past, whatever their number.
func newBenchFeed(seed uint64) *feed {
	return newFeed(seed, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
}

// follow pins a peer, lets it be read, and subscribes to its first collection.
func (n *benchNode) follow(ctx context.Context, peer *benchNode) error {
	for _, pin := range []struct{ at, of *benchNode }{{n, peer}, {peer, n}} {
		keys, err := federation.LoadKeys(pin.of.dir.keys())
		if err != nil {
			return err
		}
		jwks, err := publicKeys(keys.Request)
		if err != nil {
			return err
		}
		p := federation.Peer{Entity: federation.EntityID(pin.of.node.cfg.Entity), JWKS: jwks, APIRoot: pin.of.apiRoot, Added: time.Now()}
		if err := pin.at.node.store.AddPeer(ctx, p, true); err != nil {
			return err
		}
	}
	self, other := federation.EntityID(n.node.cfg.Entity), federation.EntityID(peer.node.cfg.Entity)
	if err := peer.node.store.AllowPeer(ctx, self, peer.collection, taxii.Rights{Read: true}, stix.TLPAmber); err != nil {
		return err
	}
	_, err := n.node.store.Subscribe(ctx, sync.Subscription{Peer: other, Collection: firstAlias, Into: n.collection, Created: time.Now()})
	return err
}

// databaseURL reads the file of --database-file.
func (b *bench) databaseURL() (string, error) {
	if b.database == "" {
		return "", nil
	}
	text, err := os.ReadFile(b.database)
	if err != nil {
		return "", fmt.Errorf("--database-file: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
