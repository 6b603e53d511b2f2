package taxii

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

// strangerAuth refuses everybody with an error code.
type strangerAuth struct{}

func (strangerAuth) Authenticate(*http.Request) (*Principal, error) {
	return nil, &ChallengeError{Code: "unknown_chain", Err: errors.New("a reason for the log")}
}

// TestChallengeCode: the error code is in the Bearer challenge, through the counting of strangers too, and the reason is not
// told.
func TestChallengeCode(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Authenticator = LimitStrangers(strangerAuth{}, StrangerOptions{}) })
	got := g.get("/taxii2/")
	g.wantError(got, http.StatusUnauthorized)
	if challenges := strings.Join(got.Header.Values("WWW-Authenticate"), "; "); !strings.Contains(challenges, `Bearer realm="TAXII", error="unknown_chain"`) {
		t.Errorf("WWW-Authenticate is %s", challenges)
	}
	if strings.Contains(got.body, "for the log") {
		t.Errorf("the reason is for the log: %s", got.body)
	}
}
