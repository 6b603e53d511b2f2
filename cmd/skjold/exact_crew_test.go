package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skjold-exchange/skjold/taxii"
)

// crew publishes to, deletes from and follows a collection of nodes that are killed meanwhile. Whoever works does not give
// up: a request without an answer is sent again, to whichever process there is.
type crew struct {
	t          *testing.T
	world      *world
	collection string
	clients    []*taxii.Client // one for each process
	seed       uint64
	lag        time.Duration // see follower
	elsewhere  bool          // see follower
	proxied    bool          // the clients go by a proxy, which answers 502 or 504 where a process is lost in the middle of a request

	requests, repeated, unavailable, deleted atomic.Int64
	reasons                                  sync.Map // description to status of what was answered
	working, following                       sync.WaitGroup
	followers                                []*follower
}

// rarely is how long publishers pause between two requests, on average.
const rarely = 20 * time.Millisecond

// publishers sets publishers to work until ctx ends, of single objects, of envelopes, and of more than is decided at once;
// and one who deletes. finish bounds what they still have to bring to an end then.
func (c *crew) publishers(ctx, finish context.Context) {
	for i, largest := range []int{1, 1, 1, 30, 30, 300} {
		c.working.Go(func() {
			rng := rand.New(rand.NewPCG(c.seed, uint64(i)))
			for ctx.Err() == nil {
				if err := c.publish(finish, c.world.publication(1+rng.IntN(largest)), rng); err != nil {
					c.t.Errorf("publisher %d: %v", i, err)
					return
				}
				_ = pauseFor(ctx, time.Duration(rng.Int64N(int64(rarely)*int64(1+largest/10)))) // ctx's end is seen above
			}
		})
	}
	c.working.Go(func() {
		rng := rand.New(rand.NewPCG(c.seed, 99))
		for ctx.Err() == nil {
			if id, modified, ok := c.world.deletion(); ok {
				if err := c.erase(finish, id, modified, rng); err != nil {
					c.t.Errorf("deleting %s %s: %v", id, modified, err)
					return
				}
			}
			_ = pauseFor(ctx, time.Duration(rng.Int64N(int64(10*rarely))))
		}
	})
}

// again tells of an error after which a request is sent again: the connection was lost, or the node says that it cannot.
func (c *crew) again(ctx context.Context, err error) bool {
	var answer *taxii.ResponseError
	if errors.As(err, &answer) {
		switch answer.Status {
		case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		case http.StatusBadGateway, http.StatusGatewayTimeout:
			if !c.proxied {
				return false
			}
		default:
			return false
		}
		c.unavailable.Add(1)
		c.reasons.LoadOrStore(answer.Resource.Description, answer.Status)
	}
	c.repeated.Add(1)
	return pauseFor(ctx, 10*time.Millisecond) == nil
}

// any is one of the processes.
func (c *crew) any(rng *rand.Rand) *taxii.Client { return c.clients[rng.IntN(len(c.clients))] }

// publish sends a publication until it is answered, follows its status until it is complete, and now and then sends it
// once more.
func (c *crew) publish(ctx context.Context, p publication, rng *rand.Rand) error {
	status, err := c.submit(ctx, p, rng)
	if err != nil {
		return err
	}
	first := status
	for status.Status == taxii.StatusPending {
		if err := c.world.told(p, status); err != nil {
			return err
		}
		if err := pauseFor(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d objects are still pending: %w", status.PendingCount, status.TotalCount, err)
		}
		now, err := c.any(rng).Status(ctx, status.ID)
		if err != nil && c.again(ctx, err) {
			continue
		}
		if err == nil {
			err = consistent(now, &status)
		}
		if err != nil {
			return err
		}
		status = now
	}
	if p.key != "" && rng.IntN(3) == 0 {
		repeated, err := c.submit(ctx, p, rng)
		if err != nil || repeated.ID != first.ID {
			return fmt.Errorf("the submission with a key has the status %s, and when it was repeated %s, %w", first.ID, repeated.ID, err)
		}
	}
	return c.world.told(p, status)
}

func (c *crew) submit(ctx context.Context, p publication, rng *rand.Rand) (taxii.Status, error) {
	for {
		c.requests.Add(1)
		status, err := c.any(rng).Submit(ctx, c.collection, p.objects, p.key)
		if err == nil || !c.again(ctx, err) {
			return status, err
		}
	}
}

func (c *crew) erase(ctx context.Context, id, modified string, rng *rand.Rand) error {
	var versions []string
	if modified != "" {
		versions = []string{modified}
	}
	for try := 0; ; try++ {
		err := c.any(rng).Delete(ctx, c.collection, id, versions...)
		// What tells of an object that the deleter does not see is not seen either.
		if errors.Is(err, taxii.ErrNotFound) && (try > 0 || c.world.byKind(id) == aRelationship) {
			err = nil
		}
		if err == nil {
			c.deleted.Add(1)
			c.world.gone(id, modified)
			return nil
		}
		if !c.again(ctx, err) {
			return err
		}
	}
}

// follow sets followers of every kind to work until ctx ends.
func (c *crew) follow(ctx context.Context) {
	for i := range 4 {
		f := &follower{name: fmt.Sprintf("follower %d", i), world: c.world, collection: c.collection, byNext: i%2 == 0, lag: c.lag, elsewhere: c.elsewhere, largest: 400,
			rng: rand.New(rand.NewPCG(c.seed, uint64(1000+i))), got: map[versionName]bool{}}
		if i < 2 {
			f.match = []string{"all"}
		}
		c.followers = append(c.followers, f)
		c.following.Go(func() { c.keepUp(ctx, f) })
	}
}

// keepUp has a follower poll until ctx ends.
func (c *crew) keepUp(ctx context.Context, f *follower) {
	for ctx.Err() == nil {
		more, err := f.step(ctx, c.any(f.rng))
		if errors.Is(err, errNotExact) {
			c.t.Error(err)
			return
		}
		if err != nil || !more {
			_ = pauseFor(ctx, 25*time.Millisecond)
		}
	}
}

// settle waits until everybody has ended and compares what the followers got with what there is.
func (c *crew) settle(ctx context.Context) {
	c.working.Wait()
	c.following.Wait()
	if c.lag > 0 { // what one process stored is seen at the others a little later
		_ = pauseFor(ctx, c.lag)
	}
	for _, f := range c.followers {
		if err := f.settle(ctx, c.any(f.rng)); err != nil {
			c.t.Error(err)
		}
	}
}

func (c *crew) String() string {
	given := 0
	for _, f := range c.followers {
		given += len(f.order)
	}
	var reasons []string
	c.reasons.Range(func(description, status any) bool {
		reasons = append(reasons, fmt.Sprintf("%d %s", status, description))
		return true
	})
	return fmt.Sprintf("%d submissions, %d requests repeated, %d answers 503 or 429 %q, %d deletions, %d versions given to followers",
		c.requests.Load(), c.repeated.Load(), c.unavailable.Load(), reasons, c.deleted.Load(), given)
}
