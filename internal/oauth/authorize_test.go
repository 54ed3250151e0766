package oauth_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

func TestConnectWithALink(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	link := b.link()
	address := b.begin(link)
	q := mustQuery(t, address)
	require.Equal(t, "code", q.Get("response_type"))
	require.Equal(t, "S256", q.Get("code_challenge_method"))
	require.NotEmpty(t, q.Get("code_challenge"))
	require.Equal(t, b.svc.CallbackURL(), q.Get("redirect_uri"))
	require.Equal(t, "api refresh_token", q.Get("scope"))
	require.Empty(t, q.Get("client_secret"))
	// What is stored neither is nor holds the state.
	require.Equal(t, []string{"1"}, b.seed.Strings(`select count(*)::text from oauth_attempts`))
	require.Equal(t, []string{"0"}, b.seed.Strings(`select count(*)::text from oauth_attempts where encode(state_hash, 'escape') = $1`, q.Get("state")))

	back := b.consent(address, simforce.SyncUser, true)
	require.Equal(t, q.Get("state"), back.State)
	require.NoError(t, b.db.CheckConnectLink(t.Context(), b.id, link), "opening a link does not spend it")
	out, err := b.svc.Finish(t.Context(), back)
	require.NoError(t, err)
	require.Equal(t, oauth.Outcome{Project: "support", Integration: "prod", Username: simforce.SyncUser}, out)

	c := b.connection()
	require.Equal(t, store.ConnectionGranted, c.State)
	require.EqualValues(t, 1, c.Generation)
	acme := b.sim.Orgs()[0]
	require.Equal(t, acme.ID, c.OrgID)
	require.Equal(t, acme.Users[simforce.SyncUser], c.UserID)
	require.Equal(t, b.url, c.TokenURL)
	require.True(t, b.active(c.Access.Reveal()))
	require.True(t, b.active(c.Refresh.Reveal()))
	require.Equal(t, []string{"integration/support/prod token-granted"}, b.outbox())
	require.Equal(t, []string{"0"}, b.seed.Strings(`select count(*)::text from oauth_attempts`))
	for _, stored := range b.seed.Strings(`select c::text from connections c`) {
		for _, known := range b.wire.secrets() {
			require.NotContains(t, stored, known)
		}
	}
	require.ErrorContains(t, b.db.CheckConnectLink(t.Context(), b.id, link), "used already")

	info, err := b.svc.Org(b.id).UserInfo(t.Context())
	require.NoError(t, err)
	require.Equal(t, simforce.SyncUser, info.Username)
}

func mustQuery(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Query()
}

func TestStateWorksOnceInOneBrowserForTenMinutes(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change func(*bench, *oauth.FinishParams)
		says   string
	}{
		"empty":           {func(_ *bench, p *oauth.FinishParams) { p.State = "" }, "no state"},
		"never given out": {func(_ *bench, p *oauth.FinishParams) { p.State, _ = oauth.NewSecret() }, "never asked for"},
		"other browser":   {func(_ *bench, p *oauth.FinishParams) { p.BrowserHash = oauth.Hash("another") }, "another browser"},
		"no cookie":       {func(_ *bench, p *oauth.FinishParams) { p.BrowserHash = nil }, "another browser"},
		"no code":         {func(_ *bench, p *oauth.FinishParams) { p.Code = "" }, "no code"},
		"expired": {func(b *bench, _ *oauth.FinishParams) {
			b.seed.Exec(`update oauth_attempts set expires_at = now() - interval '1 second'`)
		}, "ten minutes"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			good := b.authorize(simforce.SyncUser)
			p := good
			c.change(b, &p)
			_, err := b.svc.Finish(t.Context(), p)
			b.refused(err, fault.Invalid)
			require.ErrorContains(t, err, c.says)
			require.NotEmpty(t, fault.HintOf(err))
			require.Zero(t, b.count("token_code"), "nothing was exchanged")
			require.Equal(t, store.ConnectionNone, b.connection().State)
			require.Empty(t, b.outbox())
			if p.State == good.State { // the state is spent all the same
				_, err = b.svc.Finish(t.Context(), good)
				b.refused(err, fault.Invalid)
			}
		})
	}
	t.Run("used twice", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		p := b.authorize(simforce.SyncUser)
		_, err := b.svc.Finish(t.Context(), p)
		require.NoError(t, err)
		_, err = b.svc.Finish(t.Context(), p)
		b.refused(err, fault.Invalid)
		require.ErrorContains(t, err, "used already")
		require.Equal(t, 1, b.count("token_code"))
		require.True(t, b.active(b.connection().Refresh.Reveal()), "the good grant is untouched")
	})
}

func TestProviderErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ error, title, advice string }{
		"denied":            {"", "Access was not approved", "press Allow"},
		"denied with a bar": {"access-denied", "Access was not approved", "press Allow"},
		"blocked":           {"OAUTH_APP_BLOCKED", "The app is blocked", "Unblock"},
		"not installed":     {"OAUTH_EC_APP_NOT_FOUND", "The External Client App is not installed", "External Client App Manager"},
		"unknown":           {"SOMETHING_NEW", "Salesforce refused the authorization", "Open the link again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if c.error != "" {
				b.knobs(func(k *simforce.Knobs) {
					k.AuthorizeError = &simforce.OAuthFault{Error: c.error, Description: "made by\n\ta test"}
				})
			}
			link := b.link()
			p := b.consent(b.begin(link), simforce.SyncUser, false)
			require.NotEmpty(t, p.Error)
			out, err := b.svc.Finish(t.Context(), p)
			var told *oauth.ProviderError
			require.ErrorAs(t, err, &told)
			require.Equal(t, c.title, told.Title)
			require.Contains(t, told.Advice, c.advice)
			require.Equal(t, p.Error, told.Code)
			require.Equal(t, "prod", out.Integration, "the page can name the integration")
			b.clean(err)
			require.NotContains(t, err.Error(), "\n")
			require.NoError(t, b.db.CheckConnectLink(t.Context(), b.id, link), "a refusal does not spend the link")
			_, err = b.svc.Finish(t.Context(), p)
			b.refused(err, fault.Invalid)
		})
	}
}

func TestCodeExchangeFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  func(*bench)
		kind fault.Kind
		says string
	}{
		"wrong secret": {func(b *bench) {
			b.knobs(func(k *simforce.Knobs) {
				k.TokenError = &simforce.OAuthFault{Error: "invalid_client", Description: "invalid client credentials"}
			})
		}, fault.Reauthorize, "app's credentials"},
		"code run out": {func(b *bench) {
			b.knobs(func(k *simforce.Knobs) {
				k.TokenError = &simforce.OAuthFault{Error: "invalid_grant", Description: "expired authorization code"}
			})
		}, fault.Invalid, "authorization code"},
		"error nobody knows": {func(b *bench) {
			b.knobs(func(k *simforce.Knobs) {
				k.TokenError = &simforce.OAuthFault{Error: "brand_new", Description: "who knows"}
			})
		}, fault.Config, "who knows"},
		"server error": {func(b *bench) {
			b.fail(simforce.Fault{PathPrefix: tokenPath, Status: 500, Body: `{"error":"server_error"}`})
		}, fault.Transient, "fault"},
		"empty 503": {func(b *bench) { b.fail(simforce.Fault{PathPrefix: tokenPath, Status: 503}) }, fault.Transient, "Service Unavailable"},
		"page instead of JSON": {func(b *bench) {
			b.fail(simforce.Fault{PathPrefix: tokenPath, Status: 200, Headers: map[string]string{"Content-Type": "text/html"}, Body: "<html>Down for maintenance</html>"})
		}, fault.Transient, "token endpoint"},
		"JSON without a token": {func(b *bench) {
			b.fail(simforce.Fault{PathPrefix: tokenPath, Status: 200, Body: `{"scope":"api"}`})
		}, fault.Transient, "token endpoint"},
		"connection dropped": {func(b *bench) { b.fail(simforce.Fault{PathPrefix: tokenPath, Drop: true}) }, fault.Transient, "token endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			link := b.link()
			p := b.consent(b.begin(link), simforce.SyncUser, true)
			c.set(b)
			out, err := b.svc.Finish(t.Context(), p)
			b.refused(err, c.kind)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, "prod", out.Integration)
			require.Equal(t, store.ConnectionNone, b.connection().State)
			require.Empty(t, b.outbox())
			require.NoError(t, b.db.CheckConnectLink(t.Context(), b.id, link), "the link can be used again")
			b.knobs(func(k *simforce.Knobs) { k.TokenError = nil })
			_, err = b.svc.Finish(t.Context(), b.consent(b.begin(link), simforce.SyncUser, true))
			require.NoError(t, err)
		})
	}
}

func TestSecretThatIsWrongIsRefusedByTheSimulatorItself(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.authorize(simforce.SyncUser)
	sealed, err := storeKeys(t).Seal(secret.Text("not-the-secret"), "connections/"+b.id+"/consumer_secret")
	require.NoError(t, err)
	b.seed.Exec(`update connections set consumer_secret = $1`, sealed)
	_, err = b.svc.Finish(t.Context(), p)
	b.refused(err, fault.Reauthorize)
	require.Contains(t, fault.HintOf(err), "consumer key and secret")
}

func TestGrantThatCannotBeKeptIsGivenBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		missing string
		kind    fault.Kind
		says    string
	}{
		"no refresh token": {"refresh_token", fault.Config, "no refresh token"},
		"no identity":      {"id", fault.Transient, "which org and user"},
		"no instance":      {"instance_url", fault.Config, "instance_url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			p := b.authorize(simforce.SyncUser)
			var access string
			b.wire.set(func(r *http.Request, resp *http.Response) (*http.Response, error) {
				resp, err := without(c.missing)(r, resp)
				if known := b.wire.secrets(); r.URL.Path == tokenPath {
					for _, k := range known {
						if len(k) > 15 && k[:3] == "00D" {
							access = k
						}
					}
				}
				return resp, err
			})
			_, err := b.svc.Finish(t.Context(), p)
			b.refused(err, c.kind)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, store.ConnectionNone, b.connection().State)
			require.NotEmpty(t, access)
			require.False(t, b.active(access), "the token that nobody kept is revoked")
		})
	}
}

func TestOtherOrgIsRefusedAndGivenBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	kept := b.connection()
	link := b.link()
	_, err := b.svc.Finish(t.Context(), b.consent(b.begin(link), simforce.OtherUser, true))
	b.refused(err, fault.Conflict)
	var other *store.OtherOrgError
	require.ErrorAs(t, err, &other)
	require.Equal(t, b.sim.Orgs()[0].ID, other.Bound)
	require.Equal(t, b.sim.Orgs()[1].ID, other.Granted)
	require.ErrorContains(t, err, other.Bound)
	require.ErrorContains(t, err, other.Granted)
	require.Equal(t, 1, b.count("revoke"))
	require.Zero(t, b.sim.RevokeGrants(simforce.OtherUser), "no grant of the other org is left")
	require.Equal(t, kept, b.connection())
	require.True(t, b.active(kept.Refresh.Reveal()))
	require.NoError(t, b.db.CheckConnectLink(t.Context(), b.id, link))
}

func TestOtherUserNeedsAConfirmation(t *testing.T) {
	t.Parallel()
	ask := func(t *testing.T) (*bench, oauth.Outcome, []byte) {
		b := newBench(t)
		b.connect()
		link := b.link()
		out, err := b.svc.Finish(t.Context(), b.consent(b.begin(link), lena, true))
		require.NoError(t, err)
		require.NotEmpty(t, out.Confirm)
		require.Equal(t, lena, out.Username)
		require.Equal(t, simforce.SyncUser, out.PreviousUser)
		require.Equal(t, simforce.SyncUser, b.connection().Username, "nothing changes before the confirmation")
		require.NoError(t, b.db.CheckConnectLink(t.Context(), b.id, link))
		for _, row := range b.seed.Strings(`select g::text from pending_grants g`) {
			for _, known := range append(b.wire.secrets(), out.Confirm) {
				require.NotContains(t, row, known)
			}
		}
		require.Len(t, b.outbox(), 1)
		return b, out, link
	}
	t.Run("confirmed", func(t *testing.T) {
		t.Parallel()
		b, out, link := ask(t)
		done, err := b.svc.Confirm(t.Context(), out.Confirm, browser)
		require.NoError(t, err)
		require.Empty(t, done.Confirm)
		require.Equal(t, lena, done.Username)
		c := b.connection()
		require.Equal(t, lena, c.Username)
		require.EqualValues(t, 2, c.Generation)
		require.True(t, b.active(c.Refresh.Reveal()))
		require.Equal(t, []string{"true"}, b.seed.Strings(`select deletes_held::text from connections`))
		require.Len(t, b.outbox(), 2)
		require.Error(t, b.db.CheckConnectLink(t.Context(), b.id, link), "the link is spent")
		_, err = b.svc.Confirm(t.Context(), out.Confirm, browser)
		b.refused(err, fault.Invalid)
		require.True(t, b.active(c.Refresh.Reveal()))
	})
	t.Run("declined", func(t *testing.T) {
		t.Parallel()
		b, out, _ := ask(t)
		done, err := b.svc.Decline(t.Context(), out.Confirm, browser)
		require.NoError(t, err)
		require.Equal(t, "prod", done.Integration)
		require.Equal(t, 1, b.count("revoke"))
		require.Zero(t, b.sim.RevokeGrants(lena))
		require.Equal(t, simforce.SyncUser, b.connection().Username)
		require.True(t, b.active(b.connection().Refresh.Reveal()))
		_, err = b.svc.Confirm(t.Context(), out.Confirm, browser)
		b.refused(err, fault.Invalid)
	})
	t.Run("too late", func(t *testing.T) {
		t.Parallel()
		b, out, _ := ask(t)
		b.seed.Exec(`update pending_grants set expires_at = now() - interval '1 second'`)
		_, err := b.svc.Confirm(t.Context(), out.Confirm, browser)
		b.refused(err, fault.Invalid)
		require.ErrorContains(t, err, "took too long")
		require.Equal(t, simforce.SyncUser, b.connection().Username)
	})
	t.Run("in another browser", func(t *testing.T) {
		t.Parallel()
		b, out, _ := ask(t)
		for _, other := range [][]byte{nil, oauth.Hash("another")} {
			_, err := b.svc.Confirm(t.Context(), out.Confirm, other)
			b.refused(err, fault.Invalid)
			_, err = b.svc.Decline(t.Context(), out.Confirm, other)
			b.refused(err, fault.Invalid)
		}
		require.Zero(t, b.count("revoke"))
		_, err := b.svc.Confirm(t.Context(), out.Confirm, browser)
		require.NoError(t, err, "the right one may still")
	})
	t.Run("never given out", func(t *testing.T) {
		t.Parallel()
		b, _, _ := ask(t)
		_, err := b.svc.Confirm(t.Context(), "made up", browser)
		b.refused(err, fault.Invalid)
		_, err = b.svc.Decline(t.Context(), "", browser)
		b.refused(err, fault.Invalid)
	})
}

func TestLinkIsSpentOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	link := b.link()
	// Two people hold the link open at the same time.
	first, second := b.begin(link), b.begin(link)
	_, err := b.svc.Finish(t.Context(), b.consent(first, simforce.SyncUser, true))
	require.NoError(t, err)
	kept := b.connection()
	_, err = b.svc.Finish(t.Context(), b.consent(second, simforce.SyncUser, true))
	b.refused(err, fault.Invalid)
	require.ErrorContains(t, err, "link was used already")
	require.Equal(t, kept, b.connection())
	require.Equal(t, 1, b.count("revoke"), "the second grant is given back")
	require.True(t, b.active(kept.Refresh.Reveal()))
	require.Len(t, b.outbox(), 1)
}

func TestGrantOfADeletedIntegrationIsGivenBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.authorize(simforce.SyncUser)
	require.NoError(t, b.db.SetDesired(t.Context(), b.id, store.DesiredDeleted))
	_, err := b.svc.Finish(t.Context(), p)
	b.refused(err, fault.Conflict)
	require.Zero(t, b.sim.RevokeGrants(""))
}

func TestBeginOfAnUnknownIntegration(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.svc.Begin(t.Context(), oauth.BeginParams{IntegrationID: "0000000000000000", LinkHash: b.link(), BrowserHash: browser})
	b.refused(err, fault.NotFound)
}
