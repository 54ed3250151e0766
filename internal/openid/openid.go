package openid

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// CallbackPath is where the provider sends browsers back to.
const CallbackPath = "/sign-in/openid/callback"

// AttemptLife is how long somebody may take at the provider.
const AttemptLife = 10 * time.Minute

// askTimeout bounds one conversation with the provider.
const askTimeout = 15 * time.Second

// Store keeps sign-ins that are under way; *store.Store is one.
type Store interface {
	AddSignIn(ctx context.Context, in store.SignIn, lifetime time.Duration) error
	TakeSignIn(ctx context.Context, stateHash, browserHash []byte) (next string, err error)
}

// Options say which provider, and who we are there.
type Options struct {
	Issuer       string
	ClientID     string
	ClientSecret secret.Text
	PublicURL    string // without a slash at the end
	// Domains are those of addresses whose owners are let in without having been added before.
	Domains   []string
	Transport http.RoundTripper // nil = http.DefaultTransport
}

// Provider is an identity provider. It is safe for concurrent use.
type Provider struct {
	store   Store
	options Options
	client  *http.Client

	mu    sync.Mutex
	found *oidc.Provider // what the provider says of itself, asked once
}

// New makes a Provider. It does not ask the provider yet: one that is away keeps nobody from starting.
func New(s Store, o Options) *Provider {
	return &Provider{store: s, options: o, client: &http.Client{Transport: o.Transport, Timeout: askTimeout,
		// Our secret goes to the provider's own addresses, not to where they send it on to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Identity is who somebody is by the provider's word.
type Identity struct {
	Issuer  string
	Subject string
	Email   string // verified by the provider
}

// Begin notes a sign-in and gives the address to send the browser to, and the key to keep in
// the browser's cookie. next is where the browser goes on to in the end.
func (p *Provider) Begin(ctx context.Context, next string) (to string, key secret.Text, err error) {
	ctx = oidc.ClientContext(ctx, p.client)
	config, _, err := p.config(ctx)
	if err != nil {
		return "", "", err
	}
	raw, state := random(), random()
	if err := p.store.AddSignIn(ctx, store.SignIn{StateHash: sum(state), BrowserHash: sum(raw), Next: next}, AttemptLife); err != nil {
		return "", "", err
	}
	to = config.AuthCodeURL(state, oidc.Nonce(derive(raw, "nonce", state)), oauth2.S256ChallengeOption(derive(raw, "verifier", state)))
	return to, secret.Text(raw), nil
}

// Answer is what the provider sent the browser back with.
type Answer struct {
	State  string
	Code   string
	Issuer string // "" = the provider does not say (RFC 9207)
	Error  string
	Key    secret.Text // out of the browser's cookie
}

// Finish takes the provider's answer and says who it is and where the browser goes on to.
// Errors: fault.Invalid for an answer that was not asked for by this browser, or was used already;
// fault.Unauthenticated for one that does not say who it is, well enough; fault.Transient and
// fault.Internal when the provider is at fault.
func (p *Provider) Finish(ctx context.Context, a Answer) (id Identity, next string, err error) {
	if a.State == "" || a.Key == "" {
		return id, "", notAsked()
	}
	// Taken before anything else is looked at, so that nothing can be tried twice.
	next, err = p.store.TakeSignIn(ctx, sum(a.State), sum(a.Key.Reveal()))
	if fault.Is(err, fault.NotFound) {
		return id, "", notAsked()
	}
	if err != nil {
		return id, "", err
	}
	if a.Issuer != "" && a.Issuer != p.options.Issuer {
		return id, "", notAsked() // another provider's answer, mixed up
	}
	if a.Error != "" || a.Code == "" {
		return id, next, refused("the identity provider did not sign you in").WithHint("try again, or ask who runs the identity provider")
	}
	id, err = p.exchange(ctx, a)
	return id, next, err
}

func (p *Provider) exchange(ctx context.Context, a Answer) (id Identity, err error) {
	ctx = oidc.ClientContext(ctx, p.client)
	config, provider, err := p.config(ctx)
	if err != nil {
		return id, err
	}
	token, err := config.Exchange(ctx, a.Code, oauth2.VerifierOption(derive(a.Key.Reveal(), "verifier", a.State)))
	if err != nil {
		return id, refusedCode(err)
	}
	raw, _ := token.Extra("id_token").(string)
	verified, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: p.options.ClientID}).Verify(ctx, raw)
	if err != nil {
		return id, refusedBy(err)
	}
	if subtle.ConstantTimeCompare([]byte(verified.Nonce), []byte(derive(a.Key.Reveal(), "nonce", a.State))) != 1 {
		return id, refused("the identity provider's answer belongs to another sign-in")
	}
	var claims struct {
		Email    string          `json:"email"`
		Verified json.RawMessage `json:"email_verified"` // a few providers write it as a text
		Party    string          `json:"azp"`
	}
	if err := verified.Claims(&claims); err != nil {
		return id, refusedBy(err)
	}
	if claims.Party != "" && claims.Party != p.options.ClientID || len(verified.Audience) > 1 && claims.Party == "" {
		return id, refused("the identity provider's answer is for another program")
	}
	if is := string(claims.Verified); claims.Email == "" || is != "true" && is != `"true"` {
		return id, refused("the identity provider does not say that your address is yours").
			WithHint("verify the address there; the provider must send the claims email and email_verified")
	}
	return Identity{Issuer: verified.Issuer, Subject: verified.Subject, Email: claims.Email}, nil
}

// LetsIn reports whether the owner of an address is let in without having been added before.
func (p *Provider) LetsIn(email string) bool {
	_, domain, _ := strings.Cut(email, "@")
	return slices.Contains(p.options.Domains, strings.ToLower(domain))
}

// config asks the provider about itself, the first time.
func (p *Provider) config(ctx context.Context) (*oauth2.Config, *oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		// Keys are fetched again for as long as the provider lives, so not with this request's context.
		found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.options.Issuer)
		if err != nil {
			return nil, nil, fault.Wrap(fault.Transient, err, "the identity provider %s does not answer as one", p.options.Issuer).
				WithHint("check OIDC_ISSUER and whether the provider can be reached")
		}
		if at := found.Endpoint(); strings.HasPrefix(p.options.Issuer, "https://") && (!strings.HasPrefix(at.TokenURL, "https://") || !strings.HasPrefix(at.AuthURL, "https://")) {
			return nil, nil, fault.New(fault.Transient, "the identity provider %s names addresses without https", p.options.Issuer).
				WithHint("check OIDC_ISSUER; our secret is not sent over plain http")
		}
		p.found = found
	}
	return &oauth2.Config{
		ClientID: p.options.ClientID, ClientSecret: p.options.ClientSecret.Reveal(), Endpoint: p.found.Endpoint(),
		RedirectURL: p.options.PublicURL + CallbackPath, Scopes: []string{oidc.ScopeOpenID, "email"},
	}, p.found, nil
}

func notAsked() error {
	return fault.New(fault.Invalid, "this sign-in was not begun in this browser, was used already, or has run out").WithHint("sign in again")
}

func refused(format string, args ...any) *fault.Error {
	return fault.New(fault.Unauthenticated, format, args...)
}

// refusedBy is a token that does not verify. Its error says what is wrong and holds no token.
func refusedBy(err error) error {
	return fault.Wrap(fault.Unauthenticated, err, "the identity provider's answer cannot be trusted").WithHint("try again, or ask who runs this installation")
}

// refusedCode is a token endpoint that gave no token. What it sent besides its error code may hold anything.
func refusedCode(err error) error {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok && answer.Response.StatusCode < http.StatusInternalServerError {
		return refused("the identity provider did not take the code (%.40s)", answer.ErrorCode).WithHint("try again; if it stays, check OIDC_CLIENT_ID and OIDC_CLIENT_SECRET")
	}
	return fault.New(fault.Transient, "the identity provider does not answer").WithHint("try again in a minute")
}

// random is 256 random bits as text.
func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func sum(text string) []byte {
	s := sha256.Sum256([]byte(text))
	return s[:]
}

// derive makes a secret for one purpose of one sign-in out of the browser's key.
func derive(key, purpose, state string) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = mac.Write([]byte(purpose + "\x00" + state))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
