package cache

import (
	"os"
	"testing"

	"github.com/skjold-exchange/skjold/store/storetest"
)

// databases are the engines behind the cache.
var databases = []struct {
	name string
	open func(t *testing.T) database
}{{"SQLite", sqliteDatabase}, {"PostgreSQL", postgresDatabase}}

// caches are what there is of Redis: none, a real one, and one whose connections break, stall and garble all the time.
var caches = []struct {
	name  string
	redis func(t *testing.T) *Redis
}{
	{"memory", func(*testing.T) *Redis { return nil }},
	{"Redis", redisServer},
	{"failing Redis", func(t *testing.T) *Redis {
		r := redisServer(t)
		r.Addresses = []string{newProxy(t, r.Addresses[0], faultAll).address()}
		return r
	}},
}

// TestStore runs the behaviour suite of stores on ready pages; under the race detector, which makes it slow, with the cache
// that has the most going on, and on PostgreSQL where there is one: the pure Go engine is ten times as slow then.
func TestStore(t *testing.T) {
	for _, d := range databases {
		for _, c := range caches {
			if raceDetector && (c.name != "failing Redis" || d.name == "SQLite" && os.Getenv(postgresVariable) != "") {
				continue
			}
			t.Run(d.name+", "+c.name, func(t *testing.T) {
				t.Parallel()
				if d.name == "PostgreSQL" {
					testServer(t, "postgres", postgresVariable)
				}
				c.redis(t) // skips
				storetest.Run(t, func(t *testing.T) *storetest.Fixture { return fixture(t, d.open(t), c.redis(t)) })
			})
		}
	}
}
