package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The times between two searches for the own chain.
const (
	// firstRetry and lastRetry bound the pause after a search that failed; it doubles.
	firstRetry = 5 * time.Second
	lastRetry  = 5 * time.Minute
	// soonest is the shortest pause after one that found a chain, however short that lives.
	soonest = time.Second
)

// OwnChainOptions say how a node finds its own trust chain.
type OwnChainOptions struct {
	// Configuration returns the node's signed entity configuration.
	Configuration func() (string, error)
	// HTTP is the one outgoing client.
	HTTP *http.Client
	// Chain says what chains are checked against now.
	Chain func() ChainOptions
	// File is where the chain is kept for the next start, "" for nowhere: a node goes on until its chain ends when no
	// superior can be reached.
	File string
	// Logger is told of what fails; nil for slog.Default.
	Logger *slog.Logger
}

// OwnChain keeps the trust chain of this node: what it shows to nodes that do not know it. Only its own Run asks others.
// It runs concurrently.
type OwnChain struct {
	options OwnChainOptions

	mu      sync.Mutex
	chain   *TrustChain
	since   time.Time // when it was found
	failure error     // of the last search, nil after one that found it
	tried   bool      // whether a search has ended
	shown   string    // the configuration that was last put into the chain, or would not fit
}

// NewOwnChain makes the keeper of a chain, with the chain of the file if it still holds.
func NewOwnChain(o OwnChainOptions) (*OwnChain, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	c := &OwnChain{options: o}
	if o.File == "" {
		return c, nil
	}
	text, err := os.ReadFile(o.File)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the kept trust chain: %w", err)
	}
	if statements, err := ParseTrustChain(text); err == nil {
		options := o.Chain()
		if chain, err := VerifyTrustChain(statements, options); err == nil {
			c.chain, c.since = chain, chain.Configuration.IssuedAt
		} else {
			o.Logger.Info("the kept trust chain does not hold; it is looked for anew", "reason", err)
		}
	}
	return c, nil
}

// Chain returns the node's chain while it holds; nil for none.
func (c *OwnChain) Chain() *TrustChain {
	o := c.options.Chain()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.chain == nil || !o.Now.Before(c.chain.Expires) {
		return nil
	}
	return c.chain
}

// Statements returns the statements of the chain, to show to others, with the node's configuration of now: its new keys and
// trust marks need not wait for the next search. nil for none.
func (c *OwnChain) Statements() []string {
	chain := c.Chain()
	if chain == nil {
		return nil
	}
	configuration, err := c.options.Configuration()
	if err != nil {
		return chain.Statements // those of before hold
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.chain == nil {
		return nil
	}
	if configuration != c.shown && configuration != c.chain.Statements[0] {
		c.shown = configuration
		with := append([]string{configuration}, c.chain.Statements[1:]...)
		if renewed, err := VerifyTrustChain(with, c.options.Chain()); err == nil { // else its superiors do not know its key yet
			c.chain = renewed
		}
	}
	return c.chain.Statements
}

// Err returns why the last search failed; nil if it did not.
func (c *OwnChain) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// Searched tells whether a search has ended since the start, with or without a chain.
func (c *OwnChain) Searched() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tried
}

// Refresh looks for the chain once, and keeps the one that there is if it finds none.
func (c *OwnChain) Refresh(ctx context.Context) error {
	chain, err := c.search(ctx)
	c.mu.Lock()
	c.failure, c.tried = err, true
	if err == nil {
		c.chain, c.since = chain, c.options.Chain().Now
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if err := c.keep(chain); err != nil {
		c.options.Logger.Warn("the trust chain is not kept for the next start", "error", err)
	}
	return nil
}

func (c *OwnChain) search(ctx context.Context) (*TrustChain, error) {
	configuration, err := c.options.Configuration()
	if err != nil {
		return nil, err
	}
	return FindTrustChain(ctx, c.options.HTTP, configuration, c.options.Chain())
}

// keep writes the chain to its file, whole or not at all.
func (c *OwnChain) keep(chain *TrustChain) error {
	if c.options.File == "" {
		return nil
	}
	text, err := json.Marshal(chain.Statements)
	if err != nil {
		return err
	}
	return replaceFile(c.options.File, text)
}

// replaceFile writes a file, whole or not at all.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".chain-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Run looks for the chain at once unless there is one, at half its life (± 20 %), and with growing pauses while that
// fails, until ctx ends.
func (c *OwnChain) Run(ctx context.Context) error {
	pause, retry := c.untilRefresh(), firstRetry
	for {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		if err := c.Refresh(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			c.options.Logger.Warn("no trust chain of this node was found; it is tried again", "in", retry, "error", err)
			pause, retry = jitter(retry), min(2*retry, lastRetry)
			continue
		}
		pause, retry = max(c.untilRefresh(), soonest), firstRetry
	}
}

// untilRefresh is the time to half the life of the chain, ± 20 %; 0 without one.
func (c *OwnChain) untilRefresh() time.Duration {
	now := c.options.Chain().Now
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.chain == nil {
		return 0
	}
	half := jitter(c.chain.Expires.Sub(c.since) / 2)
	return max(c.since.Add(half).Sub(now), 0)
}

// jitter returns d ± 20 %, so that the nodes of a federation do not ask at once.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
