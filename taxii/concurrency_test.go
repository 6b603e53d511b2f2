package taxii

import (
	"fmt"
	"io"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPollersAndPublishers holds the promise that whoever polls, at any pace and by whatever way of paging, while others
// publish, receives every object once and in the order of date added.
func TestPollersAndPublishers(t *testing.T) {
	const publishers, posts, batch, pollers = 4, 15, 3, 4
	g := newRig(t)
	server := httptest.NewServer(g.handler)
	defer server.Close()

	var publishing, polling sync.WaitGroup
	done := make(chan struct{})
	for p := range publishers {
		publishing.Go(func() {
			c, _ := clientOf(t, server.URL+root)
			for post := range posts {
				var objects [][]byte
				for i := range batch {
					objects = append(objects, []byte(indicator(p*10000+post*10+i, v1, "")))
				}
				if st, err := c.Add(t.Context(), "open", objects); err != nil || st.SuccessCount != batch {
					t.Errorf("publisher %d: %+v, %v", p, st, err)
				}
			}
		})
	}
	got := make([][]string, pollers)
	for p := range pollers {
		polling.Go(func() {
			c, _ := clientOf(t, server.URL+root)
			var at Position
			for last := false; ; {
				poller := c.Poll("open", at, PageRequest{Limit: 1 + p*4})
				for {
					raw, err := poller.Next(t.Context())
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Errorf("poller %d: %v", p, err)
						return
					}
					got[p] = append(got[p], string(raw))
				}
				at = poller.Position()
				if last {
					return
				}
				select {
				case <-done:
					last = true // once more for what was published since this poll began
				default:
				}
			}
		})
	}
	publishing.Wait()
	close(done)
	polling.Wait()

	var want []string
	for _, raw := range decode[Envelope](g, g.get(g.objects("?limit=10000"))).Objects {
		want = append(want, string(raw))
	}
	if len(want) != publishers*posts*batch {
		t.Fatalf("%d objects were stored", len(want))
	}
	for p := range pollers {
		if d := cmp.Diff(want, got[p]); d != "" {
			t.Errorf("poller %d: %s", p, fmt.Sprintf("%.500s", d))
		}
	}
}
