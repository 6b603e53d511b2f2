package sync

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix"
)

// Options are what replication needs. Store, Peers, Signer and HTTP are required.
type Options struct {
	Store  Store
	Peers  federation.Peers
	Signer *federation.Signer
	// HTTP is the door to other nodes, from federation.NewHTTPClient. Its time-out bounds a page.
	HTTP *http.Client
	// Chain, where set, returns this node's trust chain, nil for none: peers that have not pinned this node get to know it
	// so.
	Chain func() []string

	// Interval is the time between two pulls of a subscription that has nothing new, ± 20 %; 60 s.
	Interval time.Duration
	// PageSize is how many objects are asked for at first; 1,000. It grows while full pages arrive, up to MaxPageSize
	// (10,000), and halves when the peer or the network has trouble with it.
	PageSize, MaxPageSize int
	// MaxPageBytes bounds the body of a page, expanded; 64 MiB.
	MaxPageBytes int64
	// Limits bound each object of a page; zero fields are the defaults of package stix.
	Limits stix.Limits
	// Check validates one object; stix.Check within Limits.
	Check func(raw []byte) (*stix.Object, stix.Report)
	// Lenient accepts objects that break the standard in ways that do not keep a node from handling them
	// (stix.Report.Acceptable), with the violations recorded. Without it they are quarantined. A subscription with Rules of
	// its own goes by those.
	Lenient bool
	// MaxFutureSkew is how far in the future created and modified may be; 24 h.
	MaxFutureSkew time.Duration
	// Refuse, where set, gives the rules of the local collection for one page: why an object may not enter it, "" if it
	// may. Its error fails the page, which is pulled again.
	Refuse func(ctx context.Context, s Subscription) (func(o *stix.Object) string, error)

	// Assigned, where set, returns those of the subscriptions that this process pulls now, of several that serve the same
	// node; it is asked once a second, and again only after it has answered. Its error stops the pulls that it is asked
	// about until it answers again. Nil: all of them.
	Assigned func(ctx context.Context, subscriptions []int64) ([]int64, error)
	// OnApplied, where set, is called after a page was stored, from the goroutine of its subscription.
	OnApplied func(s Subscription, page PulledPage, applied Applied)
	// Logger is told of failures, recoveries and wrong clocks; nil for silence.
	Logger *slog.Logger
	// Registerer takes the metrics; nil for none.
	Registerer prometheus.Registerer
	// Now is the clock; nil for time.Now.
	Now func() time.Time
}

// withDefaults checks the options and fills in the defaults.
func (o Options) withDefaults() (Options, error) {
	if o.Store == nil || o.Peers == nil || o.Signer == nil || o.HTTP == nil {
		return o, errors.New("replication needs a store, the pinned peers, a signer and an HTTP client")
	}
	orDefault(&o.Interval, time.Minute)
	orDefault(&o.PageSize, 1000)
	orDefault(&o.MaxPageSize, max(10_000, o.PageSize))
	orDefault(&o.MaxPageBytes, 64<<20)
	orDefault(&o.MaxFutureSkew, 24*time.Hour)
	if o.PageSize < 1 || o.MaxPageSize < o.PageSize || o.Interval < 0 || o.MaxPageBytes < 0 {
		return o, errors.New("replication needs a page size of at least 1, a maximum of at least that, and no negative interval or size")
	}
	if o.Check == nil {
		limits := o.Limits
		o.Check = func(raw []byte) (*stix.Object, stix.Report) {
			return stix.Check(raw, stix.Options{Limits: limits})
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

func orDefault[T comparable](value *T, def T) {
	var zero T
	if *value == zero {
		*value = def
	}
}
