package simforce

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAppPolicies(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	set := func(change func(*Knobs)) { t.Helper(); require.NoError(t, b.SetKnobs(change)) }

	set(func(k *Knobs) { k.RequirePKCE = true })
	a := b.do(http.MethodGet, "/services/oauth2/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {b.opts.ConsumerKey}, "redirect_uri": {testCallback}, "state": {"st"},
	}.Encode(), nil)
	require.Equal(t, http.StatusFound, a.status)
	require.Contains(t, a.header.Get("Location"), "error=invalid_request")
	require.Contains(t, a.header.Get("Location"), "state=st")
	set(func(k *Knobs) { k.RequirePKCE = false })

	tok, err := b.Grant(SyncUser)
	require.NoError(t, err)
	refresh := func(secret string) answer {
		v := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.RefreshToken}, "client_id": {b.opts.ConsumerKey}}
		if secret != "" {
			v.Set("client_secret", secret)
		}
		return b.form("/services/oauth2/token", v)
	}
	require.Equal(t, "invalid_client: invalid client credentials", refresh("").oauthError(t))
	set(func(k *Knobs) { k.PublicClient, k.TokenBytes = true, 1400 })
	require.Greater(t, len(refresh("").tokens(t)["access_token"]), 1800)
	require.Contains(t, refresh("wrong").oauthError(t), "invalid_client")
	set(func(k *Knobs) { k.PublicClient = false })

	// However much it is used, it ends.
	set(func(k *Knobs) { k.RefreshLifeSeconds = 3600 })
	b.clock.add(time.Hour)
	refresh(b.opts.ConsumerSecret).tokens(t)
	b.clock.add(time.Second)
	require.Contains(t, refresh(b.opts.ConsumerSecret).oauthError(t), "invalid_grant")
	set(func(k *Knobs) { k.RefreshLifeSeconds = 0 })

	// One grant too many ends the oldest.
	set(func(k *Knobs) { k.GrantsMax = 2 })
	var grants []Tokens
	for range 3 {
		g, err := b.Grant(AdminUser)
		require.NoError(t, err)
		grants = append(grants, g)
	}
	tok = grants[0]
	require.Contains(t, refresh(b.opts.ConsumerSecret).oauthError(t), "invalid_grant")
	for _, tok = range grants[1:] {
		refresh(b.opts.ConsumerSecret).tokens(t)
	}

	// Two refreshes at once: one is told to wait.
	set(func(k *Knobs) { k.RefreshMS = 300 })
	var both sync.WaitGroup
	var answers [2]answer
	for i := range answers {
		both.Go(func() { answers[i] = refresh(b.opts.ConsumerSecret) })
	}
	both.Wait()
	status := []int{answers[0].status, answers[1].status}
	require.ElementsMatch(t, []int{http.StatusOK, http.StatusBadRequest}, status)
	for _, a := range answers {
		if a.status != http.StatusOK {
			require.Equal(t, "invalid_request: token request is already being processed", a.oauthError(t))
		}
	}
	refresh(b.opts.ConsumerSecret).tokens(t)
	for _, bad := range []func(*Knobs){
		func(k *Knobs) { k.RefreshLifeSeconds = -1 }, func(k *Knobs) { k.TokenBytes = 3 }, func(k *Knobs) { k.LimitInfo = "" },
	} {
		require.Error(t, b.SetKnobs(bad))
	}
}

func TestHowLimitsAreTold(t *testing.T) {
	t.Parallel()
	b := start(t, Options{DailyRequests: 100})
	info := func() string { t.Helper(); return b.query("SELECT Id FROM Task").header.Get("Sforce-Limit-Info") }
	require.Equal(t, "api-usage=1/100", info())
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.LimitInfo = "per_app" }))
	require.Equal(t, "api-usage=2/100, per-app-api-usage=2/100(appName=simforce)", info())
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.LimitInfo = "off" }))
	require.Empty(t, info())
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.LimitInfo, k.LimitsLagSeconds = "plain", 300 }))
	require.Equal(t, "api-usage=3/100", info(), "what it was when it was last told")
	b.clock.add(299 * time.Second)
	require.Equal(t, "api-usage=3/100", info())
	b.clock.add(time.Second)
	require.Equal(t, "api-usage=6/100", info())

	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.LimitsLagSeconds, k.QuotaSoft = 0, 2 }))
	require.NoError(t, b.SetQuotaUsed("", 99))
	require.Equal(t, "api-usage=100/100", info())
	require.Equal(t, "api-usage=101/100", info(), "a little more is let through")
	require.Equal(t, "api-usage=102/100", info())
	require.True(t, strings.Contains(b.query("SELECT Id FROM Task").body, "TotalRequests Limit exceeded."))
}
