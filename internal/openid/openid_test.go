package openid

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

type noStore struct{}

func (noStore) AddSignIn(context.Context, store.SignIn, time.Duration) error { return nil }
func (noStore) TakeSignIn(context.Context, []byte, []byte) (string, error)   { return "/", nil }

// Our secret, the code and the proof go to the address that the provider names for tokens, and are not
// sent on to where that one points.
func TestTheProvidersRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var told atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told.Add(1) }))
	t.Cleanup(elsewhere.Close)
	mux := http.NewServeMux()
	provider := httptest.NewServer(mux)
	t.Cleanup(provider.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": provider.URL, "authorization_endpoint": provider.URL + "/a", "token_endpoint": provider.URL + "/t", "jwks_uri": provider.URL + "/k"})
	})
	mux.HandleFunc("/t", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	p := New(noStore{}, Options{Issuer: provider.URL, ClientID: "us", ClientSecret: "s3cret", PublicURL: "https://sync.example"})
	_, _, err := p.Finish(t.Context(), Answer{State: "state", Code: "code", Key: "key"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "s3cret")
	require.Zero(t, told.Load())
}

// plainAddresses lets a provider of https name addresses without it.
type plainAddresses struct{}

func (plainAddresses) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.WriteString(`{"issuer":"https://login.example","authorization_endpoint":"https://login.example/a","token_endpoint":"http://login.example/t","jwks_uri":"https://login.example/k"}`)
	res := w.Result()
	res.Request = r
	return res, nil
}

func TestAProviderOfHTTPSNamesNothingElse(t *testing.T) {
	t.Parallel()
	p := New(noStore{}, Options{Issuer: "https://login.example", ClientID: "us", ClientSecret: "s3cret", PublicURL: "https://sync.example", Transport: plainAddresses{}})
	_, _, err := p.Begin(t.Context(), "/")
	require.Equal(t, fault.Transient, fault.KindOf(err))
	require.ErrorContains(t, err, "without https")
}
