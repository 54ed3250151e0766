package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/openid/openidtest"
	"salesforcesync/internal/simforce"
)

// canary knows the secrets of a run, those it planted and those it overheard, and has Salesforce and a
// tenant repeat them in ways that no honest server would.
type canary struct {
	mu      sync.Mutex
	secrets map[string]string // by name
	mode    string            // what the simulator does with the next calls
	struck  map[string]int    // how often it did, by mode
}

// What a canary has the simulator do.
const (
	honest    = ""
	dead      = "the session is dead, says an answer that repeats it"
	page      = "a gateway's page repeats what it was sent"
	malformed = "an answer that is none repeats what it was sent"
	refused   = "the session is dead, and the token endpoint refuses; both repeat what they were sent"
)

func (c *canary) know(name, secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if secret != "" {
		c.secrets[name] = secret
	}
}

func (c *canary) does(mode string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mode = mode
}

func (c *canary) times(mode string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.struck[mode]
}

// wrap overhears what the product and Salesforce say to each other.
func (c *canary) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		mode := c.mode
		c.mu.Unlock()
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		data := strings.HasPrefix(r.URL.Path, "/services/data/")
		strike := func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.struck[mode]++
			if mode == dead {
				c.mode = honest // once: the next session is alive
			}
		}
		switch {
		case r.URL.Path == "/services/oauth2/token":
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			form, _ := url.ParseQuery(string(body))
			for _, name := range []string{"code", "code_verifier", "refresh_token"} {
				c.know(name+" "+form.Get(name), form.Get(name))
			}
			if mode == refused {
				strike()
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("X-Request-Id", form.Get("refresh_token"))
				w.WriteHeader(http.StatusBadRequest)
				_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant", "error_description": "expired access/refresh token " + string(body) + " " + form.Get("refresh_token") + " " + form.Get("client_secret")})
				return
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			var got map[string]any
			if json.Unmarshal(answer.Body.Bytes(), &got) == nil {
				for _, name := range []string{"access_token", "refresh_token"} {
					token, _ := got[name].(string)
					c.know(name+" "+token, token)
				}
			}
			maps.Copy(w.Header(), answer.Header())
			w.WriteHeader(answer.Code)
			_, _ = w.Write(answer.Body.Bytes())
		case data && (mode == dead || mode == refused):
			strike()
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode([]map[string]string{{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid: " + token}})
		case data && mode == page:
			strike()
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("X-Request-Id", base64.StdEncoding.EncodeToString([]byte(token)))
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `[{"errorCode":"FORBIDDEN","message":"%s %s %s"}]`, url.QueryEscape(token), base64.StdEncoding.EncodeToString([]byte(token)), token)
		case data && mode == malformed:
			strike()
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				fmt.Fprintf(conn, "%s\r\n\r\n", token)
				_ = conn.Close()
			}
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// spellings are the ways in which a secret may be written down, by name.
func spellings(secret string) map[string]string {
	quoted, _ := json.Marshal(secret) // a string always encodes
	forms := map[string]string{
		"as it is": secret, "in a query": url.QueryEscape(secret), "in a path": url.PathEscape(secret), "in JSON": strings.Trim(string(quoted), `"`),
		"in HTML": html.EscapeString(secret), "in hex": hex.EncodeToString([]byte(secret)), "in capital hex": strings.ToUpper(hex.EncodeToString([]byte(secret))),
	}
	for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64 for URLs": base64.RawURLEncoding} {
		for before := range 3 { // how many bytes of something else share its first characters
			text := encoding.EncodeToString(append(make([]byte, before), secret...))
			text = text[:(before+len(secret))*8/6] // without what depends on what comes after it
			forms[fmt.Sprintf("in %s, behind %d bytes", name, before)] = text[[]int{0, 2, 3}[before]:]
		}
	}
	return forms
}

// leaks names the secrets that are in a text, and how they are spelt there.
func (c *canary) leaks(text []byte) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	for name, secret := range c.secrets {
		forms := spellings(secret)
		if len(secret) > 48 { // what was cut is found by a piece from the middle
			for spelling, form := range spellings(secret[16:40]) {
				forms["a piece, "+spelling] = form
			}
		}
		for spelling, form := range forms {
			if i := bytes.Index(text, []byte(form)); i >= 0 {
				found = append(found, fmt.Sprintf("%s, %s: …%q…", name, spelling, text[max(0, i-120):min(len(text), i+len(form)+40)]))
			}
		}
	}
	slices.Sort(found)
	return found
}

// The search itself can fail: each spelling of a secret is found, wherever it begins.
func TestCanaryFindsEverySpelling(t *testing.T) {
	t.Parallel()
	c := &canary{secrets: map[string]string{"a token": "00D5e!AQ+x/y=<z>%ü"}}
	for spelling, form := range spellings("00D5e!AQ+x/y=<z>%ü") {
		require.NotEmpty(t, c.leaks([]byte("before "+form+" after")), spelling)
	}
	for before := range 3 {
		around := append(append(bytes.Repeat([]byte("x"), before), "00D5e!AQ+x/y=<z>%ü"...), " and more"...)
		require.NotEmpty(t, c.leaks([]byte(base64.StdEncoding.EncodeToString(around))), "inside of base64, behind %d bytes", before)
	}
	require.Empty(t, c.leaks([]byte("00D5e!AQ and nothing else")))
	long := strings.Repeat("0123456789abcdef", 5)
	c.secrets["a long token"] = long
	require.NotEmpty(t, c.leaks([]byte(long[:50])), "what was cut")
	require.NotEmpty(t, c.leaks([]byte(base64.StdEncoding.EncodeToString([]byte(long))[:64])), "what was encoded and cut")
}

// TestCanaryNothingLeaks is a whole run with every kind of secret in it, and with everything going wrong that
// repeats one. Afterwards none is anywhere but sealed or hashed: not in logs of the finest grain,
// histories, pages, answers, metrics, the database, or files that were left.
func TestCanaryNothingLeaks(t *testing.T) {
	t.Parallel()
	c := &canary{secrets: map[string]string{}, struck: map[string]int{}}
	const deliveryToken, tracesToken = "re_canary-delivery-token-7f3a9c51", "canary-traces-token-52d0c8e6"
	provider := openidtest.New(t)
	tenant := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.struck["tenant "+r.URL.Path]++
		c.mu.Unlock()
		w.Header().Set("X-Request-Id", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusUnauthorized)
		body, _ := json.Marshal(map[string]string{"status": "error", "message": "bad token " + r.Header.Get("Authorization") + " " + base64.StdEncoding.EncodeToString([]byte(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))})
		_, _ = w.Write(body)
	}))
	t.Cleanup(tenant.Close)
	s := newStackWith(t, simforce.Options{Generate: 40, Seed: 11}, func(s *stack) {
		s.wrap = c.wrap
		left := filepath.Join(s.dir, "left")
		require.NoError(t, os.Mkdir(left, 0o755))
		s.extra = []string{"LOG_LEVEL=debug", "METRICS_ADDR=127.0.0.1:0", "TMPDIR=" + left, "CANARY_DELIVERY=" + deliveryToken,
			// Traces go to the same unfriendly server.
			"OTEL_EXPORTER_OTLP_ENDPOINT=" + tenant.URL, "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer " + tracesToken,
			"DELIVERY_EXTRA_HOSTS=" + strings.TrimPrefix(tenant.URL, "http://"),
			"OIDC_ISSUER=" + provider.URL, "OIDC_CLIENT_ID=" + openidtest.ClientID, "OIDC_CLIENT_SECRET=" + openidtest.ClientSecret, "OIDC_ALLOWED_DOMAINS=acme.example"}
	})
	c.know("consumer secret", consumerSecret)
	c.know("administrator's password", adminPassword)
	c.know("API token", s.token)
	c.know("delivery token", deliveryToken)
	c.know("token of the traces", tracesToken)
	c.know("identity provider's secret", openidtest.ClientSecret)
	for _, v := range s.env {
		if ring, ok := strings.CutPrefix(v, "ENCRYPTION_KEYS=k1:"); ok {
			c.know("key", ring)
			key, err := base64.StdEncoding.DecodeString(ring)
			require.NoError(t, err)
			c.know("key, as bytes", string(key))
		}
	}
	said := map[string][]byte{} // what each place holds, by its name
	hear := func(where string, text []byte) { said[where] = append(append(said[where], text...), '\n') }
	run := func(args ...string) {
		out, talk, _ := s.tryStarter(args...)
		hear("starter "+args[0], []byte(out+talk))
	}

	// Connected by link, with a destination that refuses and repeats the token.
	s.apply("canary", file(s, "")+fmt.Sprintf("destination:\n  endpoint: %s/acme/prod/reinfer_\n  project: p\n  source: s\n  token_env: CANARY_DELIVERY\n", tenant.URL))
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	link := strings.TrimSpace(s.starter("connect", name))
	_, secret, _ := strings.Cut(link, "?link=")
	c.know("one-time link", secret)
	to := location(t, browser, link)
	overheard := func(where string, address string) url.Values {
		u, err := url.Parse(address)
		require.NoError(t, err)
		for _, key := range []string{"state", "code", "nonce"} {
			c.know(where+" "+key, u.Query().Get(key))
		}
		return u.Query()
	}
	overheard("Salesforce", to)
	back, err := simforce.Consent(t.Context(), to, simforce.SyncUser, true)
	require.NoError(t, err)
	overheard("Salesforce", back)
	cookies := func(where string) {
		u, err := url.Parse(s.public)
		require.NoError(t, err)
		for _, cookie := range jar.Cookies(u) {
			c.know(where+" cookie "+cookie.Name, cookie.Value)
		}
	}
	cookies("connecting")
	location(t, browser, back)
	s.equal(source)

	visit := func(method, path string, form url.Values, header ...string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, s.public+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := browser.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		resp.Header.Del("Set-Cookie") // where a session is at home
		for key, values := range resp.Header {
			if key != "Location" || !strings.Contains(path, "openid") { // which leads to the provider, with a state
				hear("pages", []byte(key+": "+strings.Join(values, ", ")))
			}
		}
		hear("pages", body)
		return resp.StatusCode
	}

	// Signed in with the password, and at the identity provider; and secrets where they do not belong.
	require.Equal(t, http.StatusSeeOther, visit("POST", "/sign-in", url.Values{"email": {adminEmail}, "password": {adminPassword}}))
	cookies("signed in")
	to = location(t, browser, s.public+"/sign-in/openid?next=/")
	overheard("provider", to)
	cookies("signing in")
	other, err := cookiejar.New(nil)
	require.NoError(t, err)
	at, err := url.Parse(s.public)
	require.NoError(t, err)
	other.SetCookies(at, jar.Cookies(at))
	atProvider := provider.Consent(to)
	overheard("provider", atProvider.String())
	admin := browser.Jar
	browser.Jar = other
	require.Equal(t, "/", strings.TrimPrefix(location(t, browser, atProvider.String()), s.public))
	for _, cookie := range other.Cookies(at) {
		c.know("signed in at the provider, cookie "+cookie.Name, cookie.Value)
	}
	require.Equal(t, http.StatusBadRequest, visit("GET", atProvider.RequestURI(), nil), "the answer is not taken twice")
	browser.Jar = admin
	require.Equal(t, http.StatusUnauthorized, visit("POST", "/sign-in", url.Values{"email": {adminEmail}, "password": {s.token}}))
	c.mu.Lock()
	callback := url.Values{"code": {c.secrets["Salesforce code"]}, "state": {c.secrets["Salesforce state"]}}
	c.mu.Unlock()
	require.Equal(t, http.StatusBadRequest, visit("GET", callbackPath+"?"+callback.Encode(), nil), "nor is Salesforce's")
	// At the provider somebody else signed in, which ended the session before.
	require.Equal(t, http.StatusSeeOther, visit("POST", "/sign-in", url.Values{"email": {adminEmail}, "password": {adminPassword}}))
	cookies("signed in again")
	// What a caller says wrongly is repeated to that caller, and to nobody else.
	aside := func(method, path, authorization string) {
		req, err := http.NewRequestWithContext(t.Context(), method, s.public+path, strings.NewReader(s.token))
		require.NoError(t, err)
		req.Header.Set("Authorization", authorization)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.GreaterOrEqual(t, resp.StatusCode, 400)
		require.NoError(t, resp.Body.Close())
	}
	aside("GET", "/api/v1/sources/support/"+url.PathEscape(s.token), "Bearer "+s.token)
	aside("GET", "/api/v1/sources?access_token="+url.QueryEscape(s.token), "Basic "+base64.StdEncoding.EncodeToString([]byte("token:"+s.token)))
	aside("POST", "/api/v1/sources/support/salesforce-emails/statistics", "Bearer "+s.token)
	aside("GET", "/"+url.PathEscape(adminPassword)+"?password="+adminPassword, "Bearer "+s.token[1:])

	// Everything goes wrong.
	wait := func(mode string, n int) {
		before := c.times(mode)
		c.does(mode)
		s.eventually(mode, func() error {
			if c.times(mode) < before+n {
				return fmt.Errorf("%d times", c.times(mode)-before)
			}
			return nil
		})
	}
	watch := func() { // in the midst of it
		for _, path := range []string{"/", "/integrations/" + name} {
			require.Equal(t, http.StatusOK, visit("GET", path, nil))
		}
		run("status", name)
		run("status", "-json", name)
	}
	shows := func(what string, yes func(status string) bool) {
		var out string
		ok := waitFor(t.Context(), patience, func() bool {
			pause(t.Context(), 200*time.Millisecond) // a program each time
			out = s.starter("status", name)
			return yes(out)
		})
		require.True(t, ok, "%s: %s", what, out)
	}
	wait(dead, 1)
	for _, mode := range []string{page, malformed} {
		wait(mode, 2)
		shows("the fault is shown", func(out string) bool {
			return strings.Contains(out, "  next ") && !strings.Contains(out, "  idle since")
		})
		watch()
		c.does(honest)
		s.starter("sync-now", name)
		s.state(flow.StateIdle) // in Temporal, too, and soon
	}
	shows("the tenant refuses", func(out string) bool { return strings.Contains(out, "bad token") })
	c.does(refused)
	shows("the grant is lost", func(out string) bool { return strings.Contains(out, "awaiting_authorization since") })
	require.Positive(t, c.times(refused))
	watch()

	// Everything that can be asked.
	for _, path := range []string{"/usage", "/usage/units", "/access", "/access/roles", "/access/tokens", "/access/audit", "/access/audit/export", "/access/account", "/comments", "/docs/api",
		"/integrations/" + name + "/settings", "/integrations/" + name + "/setup", "/integrations/" + name + "/setup/connection", "/integrations/new", "/no/such/page"} {
		visit("GET", path, nil)
	}
	for _, path := range []string{"/api/v1/sources", "/api/v1/integrations/" + name, "/api/v1/usage", "/api/_private/users", "/auth/user", "/api/v1/integrations/support/none"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.public+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+s.token)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		hear("answers", body)
	}
	for _, args := range [][]string{{"list", "-json"}, {"audit", "--since", "1h"}, {"usage"}, {"check", name}, {"plan", "-f", filepath.Join(s.dir, "canary.yaml")}, {"token", "list", "--email", adminEmail}, {"user", "list"}, {"sync-now", name}, {"apply", "-f", "none"}} {
		run(args...)
	}
	s.gather(hear)
	require.NoError(t, s.worker.Stop())
	require.NoError(t, s.authsvc.Stop())
	s.gatherFiles(hear)

	// Each place was really looked at: something is there that must be.
	for where, marker := range map[string]string{"histories": "salesforce-prod", "database": consumerKey, "pages": "salesforce-prod", "answers": "salesforce-emails", "metrics of worker": "salesforcesync_salesforce_calls_total",
		"metrics of authsvc": "salesforcesync_http_request_seconds", "starter status": "bad token", "worker.log": `"debug"`, "authsvc.log": "/sign-in/openid", "temporal.db": "salesforce-prod"} {
		require.Contains(t, string(said[where]), marker, "%s was looked at", where)
	}
	for _, kind := range []string{"access_token ", "refresh_token ", "code ", "code_verifier ", "one-time link", "signed in cookie ", "provider code", "provider state"} {
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(c.secrets)), func(known string) bool { return strings.HasPrefix(known, kind) }), "a secret of the kind %q was there", kind)
	}
	require.Positive(t, c.times("tenant /v1/traces"), "traces are sent, and refused")
	total := 0
	for where, text := range said {
		total += len(text)
		require.Empty(t, c.leaks(text), where)
		require.NotRegexp(t, regexp.MustCompile(`00D\w{12,15}![A-Za-z0-9._]{20}`), string(text), "%s holds an access token", where)
	}
	t.Logf("measured: looked for %d secrets, each in %d spellings, in %d kB of %d places", len(c.secrets), len(spellings("x")), total>>10, len(said))
}

// gather adds what Temporal and PostgreSQL keep, and the metrics.
func (s *stack) gather(hear func(string, []byte)) {
	s.t.Helper()
	ctx := s.t.Context()
	list, err := s.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: "default"})
	require.NoError(s.t, err)
	require.GreaterOrEqual(s.t, len(list.Executions), 2, "the integration's and the delivery's")
	for _, e := range list.Executions {
		told, err := json.Marshal(e) // memo and search attributes
		require.NoError(s.t, err)
		hear("histories", told)
		history := s.client.GetWorkflowHistory(ctx, e.Execution.WorkflowId, e.Execution.RunId, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			event, err := history.Next()
			require.NoError(s.t, err)
			raw, err := json.Marshal(event)
			require.NoError(s.t, err)
			hear("histories", raw)
			hear("histories", decodePayloads(raw))
		}
	}

	conn, err := pgx.Connect(ctx, s.pg.URL())
	require.NoError(s.t, err)
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`)
	require.NoError(s.t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(s.t, err)
	require.Greater(s.t, len(tables), 20)
	for _, table := range tables { // as pg_dump writes them
		var dump bytes.Buffer
		_, err := conn.PgConn().CopyTo(ctx, &dump, "copy "+table+" to stdout")
		require.NoError(s.t, err, table)
		hear("database", dump.Bytes())
	}

	for _, program := range []string{"worker", "authsvc"} {
		log, err := os.ReadFile(filepath.Join(s.dir, program+".log"))
		require.NoError(s.t, err)
		m := regexp.MustCompile(`"server":"metrics","address":"([^"]+)"`).FindSubmatch(log)
		require.NotNil(s.t, m, "%s serves metrics", program)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+string(m[1])+"/metrics", nil)
		require.NoError(s.t, err)
		resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
		require.NoError(s.t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(s.t, err)
		require.NoError(s.t, resp.Body.Close())
		hear("metrics of "+program, text)
	}
}

// gatherFiles adds every file of the run but the programs: logs, what was left in the folder for what is
// temporary, and Temporal's database as it is on the disk.
func (s *stack) gatherFiles(hear func(string, []byte)) {
	s.t.Helper()
	require.NoError(s.t, filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(s.t, err)
		if entry.IsDir() && path == s.bin {
			return fs.SkipDir
		}
		if entry.Type().IsRegular() {
			text, err := os.ReadFile(path)
			require.NoError(s.t, err)
			hear(entry.Name(), text)
		}
		return nil
	}))
}
