package federation

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

func from(address string) *http.Request { return &http.Request{RemoteAddr: address} }

func TestAddressRate(t *testing.T) {
	now := testNow
	r := newAddressRate(3, func() time.Time { return now })
	for i := range 3 {
		if wait := r.take(from("192.0.2.1:1000")); wait != 0 {
			t.Errorf("request %d waits %s", i, wait)
		}
	}
	for _, again := range []string{"192.0.2.1:1001", "[::ffff:192.0.2.1]:1002"} {
		if wait := r.take(from(again)); wait != 20*time.Second {
			t.Errorf("%s waits %s, want 20s", again, wait)
		}
	}
	if wait := r.take(from("192.0.2.2:1000")); wait != 0 {
		t.Errorf("another address waits %s", wait)
	}
	for i, address := range []string{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:0:ffff::]:1", "[2001:db8::3%eth0]:1"} {
		if wait := r.take(from(address)); (wait != 0) != (i == 3) {
			t.Errorf("%s waits %s", address, wait)
		}
	}
	now = now.Add(20 * time.Second)
	if wait := r.take(from("192.0.2.1:1")); wait != 0 {
		t.Errorf("after the wait it waits %s", wait)
	}
	now = now.Add(-time.Hour)
	if wait := r.take(from("192.0.2.1:1")); wait == 0 {
		t.Error("a clock that was set back gives something")
	}
	if wait := (*addressRate)(nil).take(from("192.0.2.1:1")); newAddressRate(0, time.Now) != nil || wait != 0 {
		t.Error("a rate of 0 bounds something")
	}
}

// TestAddressRateProperty: whatever addresses ask and however many they are, none gets more than its rate, and the table
// does not grow.
func TestAddressRateProperty(t *testing.T) {
	const rate = 5
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 1))
		now := testNow
		r := newAddressRate(rate, func() time.Time { return now })
		taken := make(map[string]int)
		for range 60_000 {
			address := fmt.Sprintf("10.%d.%d.%d", random.IntN(2), random.IntN(100), random.IntN(100))
			if random.IntN(4) == 0 {
				address = "192.0.2.1" // one that asks all the time
			}
			if r.take(from(address+":1")) == 0 {
				taken[address]++
			}
			now = now.Add(time.Duration(random.IntN(4)) * time.Millisecond)
		}
		if n := len(r.known); n > maxAddresses || n != r.recent.Len() {
			t.Fatalf("seed %d: %d addresses are remembered, %d in order", seed, n, r.recent.Len())
		}
		// What an address may at once, what the minutes bring, and as much again where it was among those beyond.
		most := 2 * (rate + int(now.Sub(testNow).Minutes()*rate) + 1)
		for address, n := range taken {
			if n > most {
				t.Errorf("seed %d: %s got %d, at most %d are possible", seed, address, n, most)
			}
		}
	}
}
