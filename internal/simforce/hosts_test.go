package simforce

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// elsewhere is the same listener by another name.
func (b *bench) elsewhere() string { return strings.Replace(b.url, "127.0.0.1", "localhost", 1) }

func (b *bench) at(base string) *bench {
	c := *b
	c.url = base
	return &c
}

func TestMovedInstance(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	tok, err := b.Grant(SyncUser)
	require.NoError(t, err)
	require.NoError(t, b.MoveInstance(b.elsewhere()))
	moved := b.at(b.elsewhere())

	for _, method := range []string{http.MethodGet, http.MethodPost} {
		a := b.do(method, "/services/data/v66.0/composite?x=%201", nil)
		require.Equal(t, http.StatusFound, a.status, method)
		require.Equal(t, b.elsewhere()+"/services/data/v66.0/composite?x=%201", a.header.Get("Location"))
	}
	require.Equal(t, 2, b.Counters().Faults["wrong_host"])
	require.Equal(t, http.StatusUnauthorized, moved.query("SELECT Id FROM Case").status, "sessions ended")
	next := b.refreshWith(tok.RefreshToken).tokens(t)
	require.Equal(t, b.elsewhere(), next["instance_url"])
	moved.token, b.token = next["access_token"], next["access_token"]
	require.Equal(t, http.StatusOK, moved.query("SELECT Id FROM Case").status)

	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.WrongHost = "session" }))
	require.Equal(t, http.StatusUnauthorized, b.query("SELECT Id FROM Case").status)
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.WrongHost = "snag" }))
	require.Equal(t, 420, b.query("SELECT Id FROM Case").status)
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, "/services/oauth2/userinfo", nil).status, "the login host stays")
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.WrongHost = "serve" }))
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Case").status)
	require.Error(t, b.SetKnobs(func(k *Knobs) { k.WrongHost = "sideways" }))
	require.Error(t, b.MoveInstance("not a host"))
	require.Error(t, b.MoveInstance("https://a.example/path"))
}

func TestWrongLoginHost(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.WrongHost = "redirect" }))
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Case").status, "the right host answers")
	other := b.at(b.elsewhere())
	a := other.do(http.MethodPost, "/services/oauth2/token", url.Values{})
	require.Equal(t, http.StatusFound, a.status, "a POST is redirected too")
	require.Equal(t, b.url+"/services/oauth2/token", a.header.Get("Location"))
	require.Equal(t, http.StatusFound, other.query("SELECT Id FROM Case").status)
	require.Equal(t, http.StatusOK, other.do(http.MethodGet, "/_sim/knobs", nil).status, "the control endpoint has no host")
}

func TestMaintenance(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	tok, err := b.Grant(SyncUser)
	require.NoError(t, err)
	now := b.clock.now()
	m := Maintenance{From: now.Add(time.Hour), Until: now.Add(2 * time.Hour)}
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Maintenance = m }))
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Case").status)
	b.clock.add(time.Hour)
	a := b.query("SELECT Id FROM Case")
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Contains(t, a.body, "<html")
	require.Equal(t, http.StatusServiceUnavailable, b.do(http.MethodPost, "/services/data/v66.0/sobjects/Case", map[string]any{}).status)
	require.Equal(t, http.StatusOK, b.refreshWith(tok.RefreshToken).status)
	m.JSON, m.Login = true, true
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Maintenance = m }))
	code, _ := b.query("SELECT Id FROM Case").error(t)
	require.Equal(t, "SERVER_UNAVAILABLE", code)
	require.Equal(t, http.StatusServiceUnavailable, b.refreshWith(tok.RefreshToken).status)
	require.Equal(t, 4, b.Counters().Faults["maintenance"])
	b.clock.add(time.Hour)
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Case").status)
}

// Everything that time does follows the clock of the tests.
func TestVirtualClock(t *testing.T) {
	t.Parallel()
	b := start(t, Options{DailyRequests: 50})
	day := 24 * time.Hour

	// Sessions slide.
	b.clock.add(2*time.Hour - time.Second)
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Case").status)
	b.clock.add(2*time.Hour - time.Second)
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Case").status)
	b.clock.add(2*time.Hour + time.Second)
	require.Equal(t, http.StatusUnauthorized, b.query("SELECT Id FROM Case").status)

	// Codes live fifteen minutes.
	code := b.consent(SyncUser, true).Get("code")
	b.clock.add(15*time.Minute + time.Second)
	require.Equal(t, "invalid_grant: expired authorization code", b.exchange(code).oauthError(t))

	// Refresh tokens do not age, unless the app's policy says so.
	tok, err := b.Grant(SyncUser)
	require.NoError(t, err)
	b.clock.add(90 * day)
	b.refreshWith(tok.RefreshToken).tokens(t)
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Rotation, k.RefreshIdleSeconds = "on", 30*86400 }))
	b.clock.add(29 * day)
	next := b.refreshWith(tok.RefreshToken).tokens(t)
	b.clock.add(29 * day)
	next = b.refreshWith(next["refresh_token"]).tokens(t)
	b.clock.add(31 * day)
	require.Equal(t, "invalid_grant: expired access/refresh token", b.refreshWith(next["refresh_token"]).oauthError(t))

	// The quota rolls, also what SetQuotaUsed pretends.
	b.token, err = b.Login(SyncUser)
	require.NoError(t, err)
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.SessionTTLSeconds = 100 * 86400 }))
	require.NoError(t, b.SetQuotaUsed("", 50))
	require.Equal(t, http.StatusForbidden, b.get("/limits").status)
	b.clock.add(23 * time.Hour)
	require.Equal(t, http.StatusForbidden, b.get("/limits").status)
	b.clock.add(time.Hour)
	require.Equal(t, "api-usage=1/50", b.get("/limits").header.Get("Sforce-Limit-Info"))

	// Cursors age, and so does the recycle bin.
	_, err = b.CreateRecords("Case", 10, Write{})
	require.NoError(t, err)
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.PageMax, k.LocatorTTLSeconds = 3, 900 }))
	var p pageOf
	b.query("SELECT Id FROM Case").into(t, &p)
	b.clock.add(15 * time.Minute)
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, p.NextRecordsURL, nil).status)
	b.clock.add(time.Second)
	locator, _ := b.do(http.MethodGet, p.NextRecordsURL, nil).error(t)
	require.Equal(t, "INVALID_QUERY_LOCATOR", locator)
	p = pageOf{}
	b.query("SELECT Id FROM Case").into(t, &p)
	require.Equal(t, 1, b.KillCursors())
	locator, _ = b.do(http.MethodGet, p.NextRecordsURL, nil).error(t)
	require.Equal(t, "INVALID_QUERY_LOCATOR", locator)
	require.NoError(t, b.DeleteRecord("", p.Records[0]["Id"].(string), false))
	b.clock.add(15 * day)
	rows, err := b.Records("", "Case")
	require.NoError(t, err)
	require.Len(t, rows, 9)

	// Advance moves it on for programs that have no clock of their own.
	at := b.now()
	require.Equal(t, at.Add(time.Hour), b.Advance(time.Hour))
	require.Equal(t, at.Add(time.Hour).Format(http.TimeFormat), b.get("/limits").header.Get("Date"))
}
