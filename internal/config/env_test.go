package config_test

import (
	"cmp"
	"encoding/base64"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

var testKey = base64.StdEncoding.EncodeToString(make([]byte, 32))

func lookup(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "value")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestLoadReadsEachProgramsVariables(t *testing.T) {
	t.Parallel()
	env := lookup(map[string]string{
		"DATABASE_URL": "postgres://u:p@h/db", "ENCRYPTION_KEYS": testKey, "PUBLIC_URL": "https://Sync.Acme.example/",
		"SALESFORCE_EXTRA_HOSTS": "localhost:8090, Other:1", "TRUSTED_PROXIES": "10.1.2.3/8, 192.0.2.7,,fd00::/8,2001:db8::1",
		"METRICS_ADDR": ":0", "ADMIN_EMAIL": "a@b.example", "ADMIN_PASSWORD": "x",
	})

	worker, err := config.LoadFrom(env, config.Worker)
	require.NoError(t, err)
	require.Equal(t, "postgres://u:p@h/db", worker.DatabaseURL.Reveal())
	require.NotNil(t, worker.Keys)
	require.Equal(t, ":0", worker.MetricsAddr)
	require.Equal(t, []string{"localhost:8090", "other:1"}, worker.ExtraHosts)
	require.Equal(t, "info", worker.LogLevel)
	require.Empty(t, worker.PublicURL, "worker has no use for it")
	require.Empty(t, worker.AdminPassword)
	require.Empty(t, worker.Proxies)

	authsvc, err := config.LoadFrom(env, config.Authsvc)
	require.NoError(t, err)
	require.Equal(t, "https://sync.acme.example", authsvc.PublicURL)
	require.Equal(t, "127.0.0.1:8080", authsvc.ListenAddr)
	require.Equal(t, []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("2001:db8::1/128"),
	}, authsvc.Proxies)

	starter, err := config.LoadFrom(lookup(map[string]string{"DATABASE_URL": "postgres://h/db"}), config.Starter)
	require.NoError(t, err)
	require.Nil(t, starter.Keys)
}

func TestLoadReportsEveryProblemByName(t *testing.T) {
	t.Parallel()
	_, err := config.LoadFrom(lookup(map[string]string{
		"ENCRYPTION_KEYS": "short:AAAA", "PUBLIC_URL": "sync.acme.example", "LISTEN_ADDR": "8080", "METRICS_ADDR": "host:99999",
		"SALESFORCE_EXTRA_HOSTS": "localhost", "LOG_LEVEL": "loud", "TRUSTED_PROXIES": "proxy",
	}), config.Authsvc)
	require.True(t, fault.Is(err, fault.Invalid))
	for _, name := range []string{"DATABASE_URL", "ENCRYPTION_KEYS", "PUBLIC_URL", "LISTEN_ADDR", "METRICS_ADDR", "SALESFORCE_EXTRA_HOSTS", "LOG_LEVEL", "TRUSTED_PROXIES"} {
		require.Contains(t, err.Error(), name+": ")
	}
	require.NotContains(t, err.Error(), "AAAA")
}

func TestWhereTemporalsPagesAre(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"": "", "https://temporal.acme.example": "https://temporal.acme.example", "http://localhost:8233/": "http://localhost:8233",
		"https://tools.acme.example/temporal/": "https://tools.acme.example/temporal",
	} {
		c, err := config.LoadFrom(lookup(map[string]string{
			"DATABASE_URL": "postgres://h/db", "ENCRYPTION_KEYS": testKey, "PUBLIC_URL": "https://a.example", "TEMPORAL_UI_URL": value,
		}), config.Authsvc)
		require.NoError(t, err, value)
		require.Equal(t, want, c.TemporalUI)
	}
	for _, value := range []string{"temporal.acme.example:8233", "javascript:alert(1)", "https://u:p@temporal.acme.example", "https://temporal.acme.example?a=b", "https://"} {
		_, err := config.LoadFrom(lookup(map[string]string{"TEMPORAL_UI_URL": value}), config.Authsvc)
		require.ErrorContains(t, err, "TEMPORAL_UI_URL: ", value)
	}
}

func TestLoadProblems(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		env   map[string]string
		needs []string
		want  string
	}{
		"missing database":         {env: map[string]string{}, want: "DATABASE_URL: is not set (or DATABASE_URL_FILE)"},
		"database of another kind": {env: map[string]string{"DATABASE_URL": "mysql://root:hunter2@h/db"}, want: "DATABASE_URL: is not a PostgreSQL URL"},
		"needed by a command":      {env: map[string]string{}, needs: []string{"PUBLIC_URL"}, want: "PUBLIC_URL: is not set: outside base URL"},
		"public url with a path":   {env: map[string]string{"PUBLIC_URL": "https://a.example/sync"}, want: "PUBLIC_URL: write scheme and host only"},
		"public url of no scheme":  {env: map[string]string{"PUBLIC_URL": "ftp://a.example"}, want: "PUBLIC_URL: \"ftp://a.example\" is not an address"},
		"password without email":   {env: map[string]string{"ADMIN_PASSWORD": "hunter2"}, want: "ADMIN_EMAIL: ADMIN_EMAIL and ADMIN_PASSWORD go together"},
		"both forms":               {env: map[string]string{"DATABASE_URL": "postgres://hunter2", "DATABASE_URL_FILE": "/nowhere"}, want: "both DATABASE_URL and DATABASE_URL_FILE are set"},
		"unreadable file":          {env: map[string]string{"ENCRYPTION_KEYS_FILE": "/nowhere/keys"}, want: "ENCRYPTION_KEYS_FILE: open /nowhere/keys"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.LoadFrom(lookup(c.env), config.Starter, c.needs...)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestTaskQueues(t *testing.T) {
	t.Parallel()
	load := func(program config.Program, value string) (*config.Config, error) {
		return config.LoadFrom(lookup(map[string]string{
			"DATABASE_URL": "postgres://h/db", "ENCRYPTION_KEYS": testKey, "PUBLIC_URL": "https://a.example", "TASK_QUEUES": value,
		}), program)
	}
	c, err := load(config.Worker, "")
	require.NoError(t, err)
	require.Equal(t, flow.Queues, c.TaskQueues, "all, unless some are named")
	c, err = load(config.Worker, " integrations-load, integrations-backfill")
	require.NoError(t, err)
	require.Equal(t, []string{flow.QueueLoad, flow.QueueBackfill}, c.TaskQueues)
	_, err = load(config.Worker, "integrations,load")
	require.ErrorContains(t, err, `TASK_QUEUES: "load" is no task queue: there are integrations, integrations-poll`)
	_, err = load(config.Authsvc, "load")
	require.NoError(t, err, "it is the worker's")
}

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	load := func(value string) (*config.Config, error) {
		return config.LoadFrom(lookup(map[string]string{
			"DATABASE_URL": "postgres://h/db", "ENCRYPTION_KEYS": testKey, "PUBLIC_URL": "https://a.example", "TRUSTED_PROXIES": value,
		}), config.Authsvc)
	}
	c, err := load("")
	require.NoError(t, err)
	require.Empty(t, c.Proxies, "nobody is believed unless named")
	for value, want := range map[string]string{
		"10.0.0.0/33":         "is not an address or a CIDR",
		"10.0.0.1:80":         "is not an address or a CIDR",
		"10.0.0":              "is not an address or a CIDR",
		"::ffff:10.0.0.0/104": "is not an address or a CIDR",
		"10.0.0.1,0.0.0.0/0":  "0.0.0.0/0 trusts everybody",
		"::/0":                "::/0 trusts everybody",
	} {
		_, err := load(value)
		require.ErrorContains(t, err, "TRUSTED_PROXIES: ", value)
		require.ErrorContains(t, err, want, value)
	}
}

func TestEverySecretHasAFileForm(t *testing.T) {
	t.Parallel()
	c, err := config.LoadFrom(lookup(map[string]string{
		"DATABASE_URL_FILE":    writeFile(t, "postgres://from-file/db\n"),
		"ENCRYPTION_KEYS_FILE": writeFile(t, testKey+"\n"),
		"ADMIN_EMAIL":          "a@b.example", "ADMIN_PASSWORD_FILE": writeFile(t, " pass word \r\n"),
		"TEMPORAL_API_KEY_FILE": writeFile(t, "key\n"),
	}), config.Starter)
	require.NoError(t, err)
	require.Equal(t, "postgres://from-file/db", c.DatabaseURL.Reveal())
	require.NotNil(t, c.Keys)
	require.Equal(t, " pass word ", c.AdminPassword.Reveal())
	o, err := c.TemporalOptions()
	require.NoError(t, err)
	require.NotNil(t, o.Credentials)
	require.NotNil(t, o.ConnectionOptions.TLS, "an API key never goes over a plain connection")

	_, err = config.LoadFrom(lookup(map[string]string{"DATABASE_URL_FILE": writeFile(t, "\n")}), config.Starter)
	require.ErrorContains(t, err, "DATABASE_URL_FILE: the file")
}

func TestTemporalOptions(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": "postgres://h/db", "TEMPORAL_CONFIG_FILE": writeFile(t, "")}
	c, err := config.LoadFrom(lookup(env), config.Starter)
	require.NoError(t, err)
	o, err := c.TemporalOptions()
	require.NoError(t, err)
	require.Equal(t, "localhost:7233", o.HostPort)
	require.Equal(t, "default", o.Namespace)

	env["TEMPORAL_ADDRESS"], env["TEMPORAL_NAMESPACE"] = "temporal.acme.example:7233", "sync"
	o, err = c.TemporalOptions()
	require.NoError(t, err)
	require.Equal(t, "temporal.acme.example:7233", o.HostPort)
	require.Equal(t, "sync", o.Namespace)

	env["TEMPORAL_TLS_CLIENT_CERT_PATH"] = "/nowhere/cert.pem"
	_, err = c.TemporalOptions()
	require.True(t, fault.Is(err, fault.Invalid))
	require.ErrorContains(t, err, "TEMPORAL_*")
}

func TestReadmeShowsEveryVariable(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(data), "<!-- config:begin -->")
	require.True(t, ok, "README.md has no <!-- config:begin -->")
	block, _, ok := strings.Cut(rest, "<!-- config:end -->")
	require.True(t, ok, "README.md has no <!-- config:end -->")
	require.Equal(t, config.Table(), strings.TrimLeft(block, "\n"), "put config.Table() between the markers")
}

func TestOIDC(t *testing.T) {
	t.Parallel()
	base := map[string]string{"DATABASE_URL": "postgres://h/db", "ENCRYPTION_KEYS": testKey, "PUBLIC_URL": "https://sync.acme.example"}
	load := func(more map[string]string) (*config.Config, error) {
		return config.LoadFrom(func(name string) string { return cmp.Or(more[name], base[name]) }, config.Authsvc)
	}
	c, err := load(nil)
	require.NoError(t, err)
	require.Zero(t, c.OIDC)
	c, err = load(map[string]string{"OIDC_ISSUER": "https://login.acme.example/t", "OIDC_CLIENT_ID": "us", "OIDC_CLIENT_SECRET_FILE": writeFile(t, "hunter2\n"), "OIDC_ALLOWED_DOMAINS": "Acme.example, @b.example,"})
	require.NoError(t, err)
	require.Equal(t, config.OIDC{Issuer: "https://login.acme.example/t", ClientID: "us", ClientSecret: "hunter2", Domains: []string{"acme.example", "b.example"}}, c.OIDC)
	_, err = load(map[string]string{"OIDC_ISSUER": "http://localhost:9000", "OIDC_CLIENT_ID": "us"})
	require.NoError(t, err)
	for name, bad := range map[string]map[string]string{
		"OIDC_ISSUER: OIDC_ISSUER and OIDC_CLIENT_ID": {"OIDC_ISSUER": "https://login.acme.example"},
		"OIDC_ISSUER: is not set":                     {"OIDC_ALLOWED_DOMAINS": "acme.example"},
		"OIDC_ISSUER: \"http://login":                 {"OIDC_ISSUER": "http://login.acme.example", "OIDC_CLIENT_ID": "us"},
		"OIDC_ALLOWED_DOMAINS: \"acme\"":              {"OIDC_ISSUER": "https://login.acme.example", "OIDC_CLIENT_ID": "us", "OIDC_ALLOWED_DOMAINS": "acme"},
	} {
		_, err := load(bad)
		require.ErrorContains(t, err, name)
	}
}
