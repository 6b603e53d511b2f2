package federation

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// maxTokenAge is how old iat may be. A token lives 60 seconds and clocks may differ by 30: the page counts both.
const maxTokenAge = 90 * time.Second

// Reason names, for programs and logs, why a request token was refused: one of these, or a jose.Reason where the token
// fails as a token. The texts are stable.
type Reason string

// The reasons.
const (
	// NoToken: there is not exactly one Authorization header with one bearer token.
	NoToken Reason = "no-token"
	// BadIssuer: iss is no entity id, or sub is another.
	BadIssuer Reason = "issuer"
	// OtherWorld: a node on one machine called a real one, or the reverse.
	OtherWorld Reason = "loopback"
	// TooOld: iat is more than 90 seconds ago.
	TooOld Reason = "too-old"
	// BadLife: exp is not within 60 seconds after iat.
	BadLife Reason = "life"
	// BeforeStart: iat is before this process started, whose predecessor may have seen the token. The caller signs again.
	BeforeStart Reason = "before-start"
	// BadMethod, BadURL, BadQuery and BadBody: htm, htu, qsh or bdh is not that of the request.
	BadMethod Reason = "method"
	BadURL    Reason = "url"
	BadQuery  Reason = "query"
	BadBody   Reason = "body"
	// BadID: jti is not 128 bits in base64url.
	BadID Reason = "jti"
	// NotPinned: the operator has not pinned this peer.
	NotPinned Reason = "unknown-peer"
	// ChainUnknown: the caller is neither pinned nor has it introduced itself by a trust chain that holds and has the key.
	// Tell it so with the error code UnknownChain.
	ChainUnknown Reason = "unknown-chain"
	// Replayed: the token was used before.
	Replayed Reason = "replay"
	// Disallowed: the token is right, and Allow refused its sender.
	Disallowed Reason = "disallowed"
	// Forgotten: the clock was set back, and tokens of that time are no longer remembered.
	Forgotten Reason = "forgotten"
	// TooMany: this peer has more tokens in use than are remembered of one peer. Answer 429, not 401.
	TooMany Reason = "too-many"
)

// RequestError tells why a request token was refused. Its text is for the log: it has no token and no signature. The
// caller is told that it is not authenticated, and no more.
type RequestError struct {
	Reason Reason
	Detail string
	// Issuer is the entity that the token claims to be from, if it got that far; nothing has proved it.
	Issuer EntityID

	cause error // that of Allow
}

// Unwrap returns the error of VerifierOptions.Allow.
func (e *RequestError) Unwrap() error { return e.cause }

// Error returns the detail with the reason in front.
func (e *RequestError) Error() string {
	return fmt.Sprintf("request token refused: %s: %s", e.Reason, e.Detail)
}

// ReasonOf returns the reason of a *RequestError anywhere in err's chain, "" if there is none.
func ReasonOf(err error) Reason {
	var e *RequestError
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func refuse(r Reason, format string, args ...any) *RequestError {
	return &RequestError{Reason: r, Detail: fmt.Sprintf(format, args...)}
}

// VerifierOptions say what a Verifier needs.
type VerifierOptions struct {
	// Self is the entity id of this node, the audience of what it accepts.
	Self EntityID
	// BaseURL is the URL under which callers reach this node, as they write it: a proxy may stand in front, and may take
	// the path of BaseURL away from what it passes on. "" means Self.
	BaseURL string
	Peers   Peers
	// Introductions, where set, are asked about callers that are not pinned.
	Introductions *Introductions
	// Now is the clock; nil for time.Now.
	Now func() time.Time
	// Start is when this process began to remember tokens; zero for now.
	Start time.Time
	// OnAhead, where set, makes durable that tokens issued up to a time in the future may have been accepted, before one
	// is. After a restart Start must be later than that time: such a token could be used again otherwise. It is called
	// seldom, and never twice at once; its error refuses the request.
	OnAhead func(ctx context.Context, until time.Time) error
	// Allow, where set, has the last word about a caller whose signature is right, by the key with the thumbprint kid: whether
	// the caller or the key is revoked. Its error refuses the request (Disallowed).
	Allow func(p Peer, kid string) error
	// Shared, where set, is what several processes that serve the same node remember tokens in together. Without it a token
	// can be used once at each of them.
	Shared TokenMemory
	// TokensPerPeer is how many tokens are remembered of one peer within two minutes; 0 means 16,384. A peer that uses
	// more is refused until some have expired; no other peer is touched.
	TokensPerPeer int
}

// Verifier authenticates the requests of other nodes. It runs concurrently.
//
// It remembers the tokens it has accepted in this process only. A token issued before the process started is refused
// (BeforeStart), because its predecessor may have accepted it; the price is that a caller must sign once more in the
// second after a restart. Several processes behind one address need a shared memory of tokens besides
// (VerifierOptions.Shared).
type Verifier struct {
	self   EntityID
	base   string
	peers  Peers
	known  *Introductions // nil for none
	now    func() time.Time
	start  time.Time
	replay *replayMemory
	shared TokenMemory // nil for none

	allow   func(p Peer, kid string) error // nil for none
	onAhead func(ctx context.Context, until time.Time) error
	aheadMu sync.Mutex
	ahead   time.Time // what onAhead has made durable

	mu   sync.Mutex
	keys map[EntityID]parsedKeys // of pinned peers that called: as many as there are
}

// parsedKeys are a peer's keys and the text they were read from.
type parsedKeys struct {
	text string
	set  jose.KeySet
}

// NewVerifier makes a Verifier; the error is a wrong option.
func NewVerifier(o VerifierOptions) (*Verifier, error) {
	if _, err := ParseEntityID(string(o.Self)); err != nil {
		return nil, err
	}
	if o.Peers == nil {
		return nil, errors.New("a verifier of request tokens needs the pinned peers")
	}
	if o.BaseURL == "" {
		o.BaseURL = string(o.Self)
	}
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, fmt.Errorf("base URL %.300q must be an http or https URL with a host", o.BaseURL)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Start.IsZero() {
		o.Start = o.Now()
	}
	if o.TokensPerPeer == 0 {
		o.TokensPerPeer = 16 << 10
	}
	return &Verifier{
		self: o.Self, base: origin(base) + strings.TrimSuffix(base.EscapedPath(), "/"), peers: o.Peers, known: o.Introductions, now: o.Now, start: o.Start, onAhead: o.OnAhead, allow: o.Allow,
		replay: newReplayMemory(o.TokensPerPeer), shared: o.Shared, keys: make(map[EntityID]parsedKeys),
	}, nil
}

// Caller is the node that sent a request.
type Caller struct {
	Peer Peer
	// CheckBody must accept the SHA-256 of the body before the request has any effect. It is nil for methods whose
	// tokens do not cover a body (GET, HEAD, OPTIONS).
	CheckBody func(sum [32]byte) error
}

// Verify authenticates a request by its token, without touching the body. The checks go from the cheap to the dear:
// nothing is looked up before the token is right for this node, this time and this request, and nothing is remembered
// before its signature is. An error is a *RequestError, or whatever Peers failed with.
func (v *Verifier) Verify(r *http.Request) (Caller, error) {
	now := v.now()
	token, err := v.parse(r)
	if err != nil {
		return Caller{}, err
	}
	call, err := v.checkClaims(r, token.Claims, now)
	if err != nil {
		return Caller{}, withIssuer(err, call.issuer)
	}
	peer, err := v.checkSignature(r.Context(), token, call.issuer)
	if err != nil {
		return Caller{}, withIssuer(err, call.issuer)
	}
	if v.allow != nil {
		if err := v.allow(peer, token.Header.KeyID); err != nil {
			return Caller{}, &RequestError{Reason: Disallowed, Detail: err.Error(), Issuer: call.issuer, cause: err}
		}
	}
	if err := v.noteAhead(r.Context(), call.issued, now); err != nil {
		return Caller{}, err
	}
	if err := v.replay.remember(call.issuer, call.id, call.issued, now); err != nil {
		return Caller{}, withIssuer(err, call.issuer)
	}
	if err := v.rememberShared(r, call, now); err != nil {
		return Caller{}, withIssuer(err, call.issuer)
	}
	caller := Caller{Peer: peer}
	if hasBodyDigest(r.Method) {
		caller.CheckBody = func(sum [32]byte) error {
			if sum != call.body {
				return withIssuer(refuse(BadBody, "the body is not the one that was signed"), call.issuer)
			}
			return nil
		}
	}
	return caller, nil
}

// rememberShared notes a token for the other processes of the node, after it was noted in this one: a peer that repeats
// itself costs the shared memory nothing.
func (v *Verifier) rememberShared(r *http.Request, c call, now time.Time) error {
	if v.shared == nil {
		return nil
	}
	// By the clock of another process the token may be good for a moment longer than by this one's.
	life := c.issued.Add(maxTokenAge).Sub(now) + clockLeeway
	first, err := v.shared.UseToken(r.Context(), c.issuer, c.id[:], TokenUse{Changes: hasBodyDigest(r.Method), Life: life})
	if err != nil {
		return fmt.Errorf("note for the other processes that a token of %s was used: %w", c.issuer, err)
	}
	if !first {
		return refuse(Replayed, "the token was used before, at another process of this node")
	}
	return nil
}

// aheadStep is how much further than a token that is ahead the durable note reaches, so that a peer whose clock is ahead
// does not cost a write a second.
const aheadStep = 10 * time.Second

// noteAhead makes sure that a token from the future cannot be used again after a restart.
func (v *Verifier) noteAhead(ctx context.Context, issued, now time.Time) error {
	if v.onAhead == nil || !issued.After(now) {
		return nil
	}
	v.aheadMu.Lock()
	defer v.aheadMu.Unlock()
	if !issued.After(v.ahead) {
		return nil
	}
	until := issued.Add(aheadStep)
	if err := v.onAhead(ctx, until); err != nil {
		return fmt.Errorf("note that tokens are ahead of this node's clock: %w", err)
	}
	v.ahead = until
	return nil
}

func withIssuer(err error, issuer EntityID) error {
	var e *RequestError
	if errors.As(err, &e) {
		e.Issuer = issuer
	}
	return err
}

func (v *Verifier) parse(r *http.Request) (*jose.Unverified, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return nil, refuse(NoToken, "there are %d Authorization headers, not one", len(values))
	}
	compact, ok := bearer(values[0])
	if !ok {
		return nil, refuse(NoToken, "the Authorization header has no bearer token")
	}
	token, err := jose.Parse(compact, requestType, maxRequestToken)
	if err != nil {
		return nil, ofToken(err)
	}
	return token, nil
}

// ofToken gives a refusal of jose the form of this package's.
func ofToken(err error) error {
	var e *jose.Error
	if errors.As(err, &e) {
		return &RequestError{Reason: Reason(e.Reason), Detail: e.Detail}
	}
	return err
}

// call is what a token says of a request, after its checks.
type call struct {
	issuer EntityID
	id     [jtiSize]byte
	issued time.Time
	body   [32]byte
}

func (v *Verifier) checkClaims(r *http.Request, claims jose.Object, now time.Time) (c call, err error) {
	if c.issued, err = v.checkTimes(claims, now); err != nil {
		return c, err
	}
	if c.issuer, err = v.checkParties(claims); err != nil {
		return c, err
	}
	if c.body, err = v.checkRequest(r, claims); err != nil {
		return c, err
	}
	id, err := claims.Text("jti")
	if err != nil {
		return c, refuse(BadID, "jti is missing or no string")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(id)
	if err != nil || len(raw) != jtiSize || strings.ContainsAny(id, "\r\n") {
		return c, refuse(BadID, "jti is not %d bytes in base64url", jtiSize)
	}
	c.id = [jtiSize]byte(raw)
	return c, nil
}

func (v *Verifier) checkTimes(claims jose.Object, now time.Time) (time.Time, error) {
	iat, err := claims.Time("iat")
	if err != nil {
		return iat, ofToken(err)
	}
	exp, err := claims.Time("exp")
	if err != nil {
		return iat, ofToken(err)
	}
	if claims.Has("nbf") {
		nbf, err := claims.Time("nbf")
		if err != nil {
			return iat, ofToken(err)
		}
		if nbf.After(now.Add(clockLeeway)) {
			return iat, refuse(Reason(jose.NotYetValid), "nbf is %s in the future", nbf.Sub(now).Round(time.Second))
		}
	}
	switch life := exp.Sub(iat); {
	case life <= 0 || life > requestLife:
		return iat, refuse(BadLife, "exp is %s after iat; more than 0 and at most %s is accepted", life, requestLife)
	case iat.After(now.Add(clockLeeway)):
		return iat, refuse(Reason(jose.NotYetValid), "iat is %s in the future", iat.Sub(now).Round(time.Second))
	case now.Sub(iat) > maxTokenAge:
		return iat, refuse(TooOld, "iat is %s ago", now.Sub(iat).Round(time.Second))
	case now.After(exp.Add(clockLeeway)):
		return iat, refuse(Reason(jose.Expired), "exp was %s ago", now.Sub(exp).Round(time.Second))
	case iat.Before(v.start):
		return iat, refuse(BeforeStart, "the token was issued before this process started; the caller must sign again")
	}
	return iat, nil
}

func (v *Verifier) checkParties(claims jose.Object) (EntityID, error) {
	iss, err := claims.Text("iss")
	if err != nil {
		return "", refuse(BadIssuer, "iss is missing or no string")
	}
	issuer, err := ParseEntityID(iss)
	if err != nil {
		return "", refuse(BadIssuer, "iss: %v", err)
	}
	if sub, err := claims.Text("sub"); err != nil || sub != iss {
		return issuer, refuse(BadIssuer, "sub is not iss")
	}
	aud, err := jose.OneAudience(claims)
	if err != nil {
		return issuer, ofToken(err)
	}
	if aud != string(v.self) {
		return issuer, refuse(Reason(jose.BadAudience), "the token is for %.255q", aud)
	}
	if !issuer.sameWorld(v.self) {
		return issuer, refuse(OtherWorld, "a node on this machine and a real one never accept each other")
	}
	return issuer, nil
}

func (v *Verifier) checkRequest(r *http.Request, claims jose.Object) (body [32]byte, err error) {
	if m, err := claims.Text("htm"); err != nil || m != r.Method {
		return body, refuse(BadMethod, "htm is %.16q, the request is %s", m, r.Method)
	}
	if u, err := claims.Text("htu"); err != nil || u != v.base+sentPath(r) {
		return body, refuse(BadURL, "htu is %.300q, the request went to %.300q", u, v.base+sentPath(r))
	}
	if sum, err := claims.Digest("qsh"); err != nil || sum != sha256.Sum256([]byte(r.URL.RawQuery)) {
		return body, refuse(BadQuery, "qsh is not the digest of the request's query")
	}
	if !hasBodyDigest(r.Method) {
		if claims.Has("bdh") {
			return body, refuse(BadBody, "bdh has no meaning with %s", r.Method)
		}
		return body, nil
	}
	if body, err = claims.Digest("bdh"); err != nil {
		return body, refuse(BadBody, "bdh is missing or no digest")
	}
	return body, nil
}

// sentPath is the path as it stood in the request line: what was signed, before any decoding.
func sentPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		p, _, _ := strings.Cut(r.RequestURI, "?")
		return p
	}
	return path(r.URL)
}

func (v *Verifier) checkSignature(ctx context.Context, token *jose.Unverified, issuer EntityID) (Peer, error) {
	peer, err := v.peers.Peer(ctx, issuer)
	if errors.Is(err, ErrUnknownPeer) {
		return v.checkIntroduced(ctx, token, issuer)
	}
	if err != nil {
		return Peer{}, fmt.Errorf("look up the peer %s: %w", issuer, err)
	}
	keys, err := v.keysOf(peer)
	if err != nil {
		return Peer{}, fmt.Errorf("the pinned keys of %s are damaged; pin it again: %w", issuer, err)
	}
	switch _, err := token.Verify(keys); {
	case err != nil && jose.ReasonOf(err) == jose.UnknownKey && v.known != nil:
		// A pinned member whose request keys were rotated shows its new ones by its trust chain.
		if _, err := v.checkIntroduced(ctx, token, issuer); err != nil {
			return Peer{}, err
		}
	case err != nil:
		return Peer{}, ofToken(err)
	}
	return peer, nil
}

// checkIntroduced checks the signature of a caller that is not pinned, by the chain that it has shown to this process or, if
// that does not do, to another one of this node.
func (v *Verifier) checkIntroduced(ctx context.Context, token *jose.Unverified, issuer EntityID) (Peer, error) {
	if v.known == nil {
		return Peer{}, refuse(NotPinned, "%s is not pinned here", issuer)
	}
	peer, err := v.checkKnown(token, issuer)
	if ReasonOf(err) != ChainUnknown {
		return peer, err
	}
	if learned, failed := v.known.learn(ctx, issuer); failed != nil {
		return Peer{}, failed
	} else if !learned {
		return Peer{}, err
	}
	return v.checkKnown(token, issuer)
}

// checkKnown checks the signature of a caller by the chain that this process knows.
func (v *Verifier) checkKnown(token *jose.Unverified, issuer EntityID) (Peer, error) {
	caller := v.known.find(issuer)
	if caller == nil {
		return Peer{}, refuse(ChainUnknown, "%s is not pinned here and has not introduced itself", issuer)
	}
	switch _, err := token.Verify(caller.keys); {
	case jose.ReasonOf(err) == jose.UnknownKey: // it may have another key now, which its chain of today has
		return Peer{}, refuse(ChainUnknown, "the trust chain that %s showed does not have the key %s", issuer, token.Header.KeyID)
	case err != nil:
		return Peer{}, ofToken(err)
	}
	return caller.peer, nil
}

// keysOf reads a peer's keys once for each text of them.
func (v *Verifier) keysOf(p Peer) (jose.KeySet, error) {
	v.mu.Lock()
	known, ok := v.keys[p.Entity]
	v.mu.Unlock()
	if ok && known.text == string(p.JWKS) {
		return known.set, nil
	}
	set, err := jose.ParseKeySet(p.JWKS)
	if err != nil {
		return jose.KeySet{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys[p.Entity] = parsedKeys{text: string(p.JWKS), set: set}
	return set, nil
}
