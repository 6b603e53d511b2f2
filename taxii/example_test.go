package taxii

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http/httptest"
)

// oneAccount knows one account.
type oneAccount struct{ Principal }

func (a oneAccount) Account(_ context.Context, name, key string) (*Principal, error) {
	if name != a.Name || key != "example-key" {
		return nil, ErrUnauthenticated
	}
	return &a.Principal, nil
}

// A server in front of a store, an indicator added to it, and a poll that ends with a position to store.
func Example() {
	store := newMemStore()
	store.addCollection("Indicators", "indicators")
	server := httptest.NewServer(NewServer(Options{
		Store:         store,
		Authenticator: KeyAuth{oneAccount{Principal{Kind: ClientAccount, Name: "analyst", Admin: true}}},
		Visibility:    levelVisibility{},
		Logger:        slog.New(slog.DiscardHandler),
	}).Handler())
	defer server.Close()

	ctx := context.Background()
	client, err := NewClient(ClientOptions{URL: server.URL, User: "analyst", Password: "example-key"})
	if err != nil {
		log.Fatal(err)
	}
	collection, err := client.Collection(ctx, "Indicators")
	if err != nil {
		log.Fatal(err)
	}
	status, err := client.Add(ctx, collection.ID, [][]byte{[]byte(indicator(1, v1, "")), []byte(indicator(2, v1, ""))})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status.Status, status.SuccessCount)

	poller := client.Poll(collection.ID, Position{}, PageRequest{Types: []string{"indicator"}})
	for {
		object, err := poller.Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.79s…\n", object)
	}
	fmt.Println("position to store:", poller.Position().AddedAfter != "")
	// Output:
	// complete 2
	// {"type":"indicator","spec_version":"2.1","id":"indicator--00000001-0000-4000-80…
	// {"type":"indicator","spec_version":"2.1","id":"indicator--00000002-0000-4000-80…
	// position to store: true
}
