package taxii

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestStoreContext holds that the context with the late timer is what context.WithTimeout would be.
func TestStoreContext(t *testing.T) {
	type key struct{}
	tests := []struct {
		name  string
		after func(c *storeContext, hangUp context.CancelFunc) // what happens before the context is looked at
		want  error
	}{
		{"in time", func(*storeContext, context.CancelFunc) { time.Sleep(time.Second - 1) }, nil},
		{"too late", func(*storeContext, context.CancelFunc) { time.Sleep(time.Second) }, context.DeadlineExceeded},
		{"ended", func(c *storeContext, _ context.CancelFunc) { c.end() }, context.Canceled},
		{"the client has gone", func(_ *storeContext, hangUp context.CancelFunc) { hangUp() }, context.Canceled},
	}
	for _, tt := range tests {
		for _, waited := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				parent, hangUp := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
				defer hangUp()
				r := (&http.Request{}).WithContext(parent)
				c := (&Server{opt: Options{Timeout: time.Second}}).storeContext(r)
				defer c.end()
				if deadline, ok := c.Deadline(); !ok || !deadline.Equal(time.Now().Add(time.Second)) {
					t.Errorf("%s: deadline %s, %t", tt.name, deadline, ok)
				}
				if waited {
					c.Done()
				}
				tt.after(c, hangUp)
				synctest.Wait()
				child, cancel := context.WithCancel(c)
				defer cancel()
				synctest.Wait()
				for _, each := range []context.Context{c, child} {
					if err := each.Err(); !errors.Is(err, tt.want) {
						t.Errorf("%s, waited %t: %v, want %v", tt.name, waited, err, tt.want)
					}
					select {
					case <-each.Done():
						if tt.want == nil {
							t.Errorf("%s, waited %t: done", tt.name, waited)
						}
					default:
						if tt.want != nil {
							t.Errorf("%s, waited %t: not done", tt.name, waited)
						}
					}
					if each.Value(key{}) != "value" {
						t.Errorf("%s: the value is lost", tt.name)
					}
				}
			})
		}
	}
}

// TestStoreContextWakes holds that who waits is woken, by time or by the end of the request.
func TestStoreContextWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := (&Server{opt: Options{Timeout: time.Minute}}).storeContext((&http.Request{}).WithContext(t.Context()))
		begun := time.Now()
		<-c.Done()
		if waited := time.Since(begun); waited != time.Minute {
			t.Errorf("woken after %s", waited)
		}
		ended := (&Server{opt: Options{Timeout: time.Minute}}).storeContext((&http.Request{}).WithContext(t.Context()))
		go ended.end()
		<-ended.Done()
		if err := ended.Err(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
