package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// CallbackPath is where Salesforce sends the browser back; the administrator enters
// PUBLIC_URL + CallbackPath as the app's callback URL.
const CallbackPath = "/external/salesforce/oauth2/callback"

// Scopes of the grant: call APIs, and go on when nobody is there. offline_access is
// another name of refresh_token.
var Scopes = []string{"api", "refresh_token"}

// Lives of what is kept between two steps.
const (
	AttemptLife = 10 * time.Minute
	PendingLife = 10 * time.Minute
	LinkLife    = 24 * time.Hour
)

// Service runs the flow. Store and Hosts are required.
type Service struct {
	Store      *store.Store
	Hosts      salesforce.HostPolicy
	PublicURL  string                // without a slash at the end; needed by Begin and Finish only
	Transport  http.RoundTripper     // nil = the process's shared one
	APIVersion string                // of the clients made by Org
	Roles      []string              // that may connect integrations; needed by Finish and Confirm
	Observe    func(salesforce.Call) // passed to the clients made by Org
	Quota      Quota                 // asked by the clients made by Org; nil = they call as they like
}

// Quota decides whether an integration's org may be called, and hears what came of it.
// The token endpoint is free: what it answers is no API request.
type Quota interface {
	Admit(ctx context.Context, integrationID string) error
	Observe(integrationID string, call salesforce.Call)
}

// tokenTimeout bounds one call of the token endpoint.
const tokenTimeout = 30 * time.Second

// NewSecret makes 256 random bits as text for a URL, and the hash to store of it.
func NewSecret() (text string, hash []byte) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	text = base64.RawURLEncoding.EncodeToString(b[:])
	return text, Hash(text)
}

// Hash is what is stored of a secret that we made.
func Hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// CallbackURL is the redirect URI, byte for byte as it must be registered.
func (s *Service) CallbackURL() string {
	return strings.TrimSuffix(s.PublicURL, "/") + CallbackPath
}

// config is the app and the endpoints of a connection.
func (s *Service) config(c *store.Connection) (*oauth2.Config, error) {
	login, err := s.Hosts.Parse(c.LoginURL)
	if err != nil {
		return nil, fault.Wrap(fault.Config, err, "login_url of %s", c.Name()).WithHint("%s", fault.HintOf(err))
	}
	base := login.String()
	return &oauth2.Config{
		ClientID:     c.ConsumerKey,
		ClientSecret: c.ConsumerSecret.Reveal(),
		Endpoint: oauth2.Endpoint{
			AuthURL:   base + "/services/oauth2/authorize",
			TokenURL:  base + "/services/oauth2/token",
			AuthStyle: oauth2.AuthStyleInParams,
		},
		RedirectURL: s.CallbackURL(),
		Scopes:      Scopes,
	}, nil
}

// Org gives the client of an integration's org. Clients are cheap and hold no token.
func (s *Service) Org(integrationID string) *salesforce.Client {
	o := salesforce.Options{
		Tokens: s.Tokens(integrationID), Hosts: s.Hosts, Transport: s.Transport, APIVersion: s.APIVersion, Observe: s.Observe,
	}
	if s.Quota != nil {
		o.Admit = func(ctx context.Context) error { return s.Quota.Admit(ctx, integrationID) }
		o.Observe = func(call salesforce.Call) {
			s.Quota.Observe(integrationID, call)
			if s.Observe != nil {
				s.Observe(call)
			}
		}
	}
	return salesforce.New(o)
}

// token calls the token endpoint with x/oauth2. A redirect to another allowed host is
// followed once with the whole POST: Salesforce answers so on hosts that are not the
// org's own, and Go's client would make a GET of it. What is sent is not repeated by an error.
func (s *Service) token(ctx context.Context, name string, cfg *oauth2.Config, ask func(context.Context, *oauth2.Config) (*oauth2.Token, error), sent ...secret.Text) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	ctx = context.WithValue(ctx, oauth2.HTTPClient, salesforce.NewHTTPClient(s.Transport))
	token, err := ask(ctx, cfg)
	if to, moved := s.movedTo(cfg, err); moved {
		there := *cfg
		there.Endpoint.TokenURL = to
		token, err = ask(ctx, &there)
	}
	if err != nil {
		return nil, sortError(err, name, append(sent, secret.Text(cfg.ClientSecret))...)
	}
	return token, nil
}

func (s *Service) movedTo(cfg *oauth2.Config, err error) (string, bool) {
	response := responseOf(err) //nolint:bodyclose // x/oauth2 has read and closed it
	if response == nil || response.StatusCode < 300 || response.StatusCode > 399 {
		return "", false
	}
	base, perr := url.Parse(cfg.Endpoint.TokenURL)
	location := response.Header.Get("Location")
	if perr != nil || location == "" {
		return "", false
	}
	to, perr := base.Parse(location)
	if perr != nil || s.Hosts.Allowed(to) != nil || to.Path != base.Path {
		return "", false
	}
	to.RawQuery, to.Fragment = "", ""
	return to.String(), true
}
