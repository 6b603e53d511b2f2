package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
)

// TestRequestKeyRotatesByItself: a node with a chain makes its next request key in time, publishes it and leaves the present
// one in use; one whose peers know it by pinned keys alone is left as it is.
func TestRequestKeyRotatesByItself(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		superiors []string
		age       time.Duration
		want      int // keys
	}{
		"too early":         {[]string{"http://127.0.0.1:9"}, 87 * 24 * time.Hour, 1},
		"due":               {[]string{"http://127.0.0.1:9"}, 89 * 24 * time.Hour, 2},
		"known by a pin":    {nil, 89 * 24 * time.Hour, 1},
		"long switched off": {[]string{"http://127.0.0.1:9"}, 400 * 24 * time.Hour, 2},
	} {
		t.Run(name, func(t *testing.T) {
			dir := dataDir(filepath.Join(t.TempDir(), "node"))
			if _, err := initialise(t.Context(), dir, initOptions{entity: "http://127.0.0.1:4711", listen: "127.0.0.1:4711"}); err != nil {
				t.Fatal(err)
			}
			made := time.Now().Add(-tt.age)
			if err := os.Chtimes(filepath.Join(dir.keys(), federation.RequestKeyFile), made, made); err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Load(config.LoadOptions{File: dir.config(), Env: []string{}})
			if err != nil {
				t.Fatal(err)
			}
			cfg.Federation.Charter, cfg.Federation.Superiors = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", tt.superiors
			n := &node{dir: dir, cfg: cfg, log: slog.New(slog.DiscardHandler)}
			if n.keys, err = openNodeKeys(dir, n.log); err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			for range 3 { // as often as it looks, and after a restart
				if rotatesByItself(n.cfg) {
					if err := n.rotate(t.Context(), n.keys, now); err != nil {
						t.Fatal(err)
					}
				}
			}
			ring, err := federation.OpenKeyRing(n.dir.keys())
			if err != nil {
				t.Fatal(err)
			}
			keys := ring.All(federation.RequestKey)
			if len(keys) != tt.want || ring.Stage(keys[0], now) != federation.CurrentKey {
				t.Fatalf("%d keys, the first is %s", len(keys), ring.Stage(keys[0], now))
			}
			if tt.want == 2 {
				if until := keys[1].From.Sub(now); until < 24*time.Hour || until > federation.KeyNotice+time.Second {
					t.Errorf("the next key signs in %s", until)
				}
				if said, err := n.says(t.Context(), n.keys); err != nil || len(said.RequestKeys) != 1 || said.RequestKeys[0].ID() != keys[1].ID() {
					t.Errorf("published beside the present key are %v, %v", said.RequestKeys, err)
				}
			}
		})
	}
}
