package config

import (
	"strings"

	"salesforcesync/internal/flow"
)

// Variable describes one environment variable.
type Variable struct {
	Name     string
	Meaning  string // for people
	Default  string // "" = none
	Secret   bool   // has a _FILE form
	Programs []Program
	Required []Program // of Programs, those that do not start without it
}

var (
	everywhere = []Program{Worker, Authsvc, Starter}
	servers    = []Program{Worker, Authsvc}
)

var variables = []Variable{
	{Name: "DATABASE_URL", Secret: true, Programs: everywhere, Required: everywhere, //nolint:gosec // the meaning shows an example, no password
		Meaning: "PostgreSQL URL, libpq form, such as `postgres://user:password@host:5432/database`"},
	{Name: "ENCRYPTION_KEYS", Secret: true, Programs: everywhere, Required: servers,
		Meaning: "key ring that seals secrets at rest: comma-separated `id:base64(32 bytes)`, the first one seals, all open; one bare base64 is accepted"},
	{Name: "PUBLIC_URL", Programs: []Program{Authsvc, Starter}, Required: []Program{Authsvc},
		Meaning: "outside base URL of `authsvc`, such as `https://sync.acme.example`; the OAuth callback is built from it"},
	{Name: "LISTEN_ADDR", Default: "127.0.0.1:8080", Programs: []Program{Authsvc},
		Meaning: "where `authsvc` listens"},
	{Name: "TRUSTED_PROXIES", Programs: []Program{Authsvc},
		Meaning: "comma-separated addresses or CIDRs of the proxies in front of `authsvc`, such as `10.0.0.0/8`; only from them `X-Forwarded-For` is believed. Not set = every visitor of a proxy counts as one"},
	{Name: "SALESFORCE_EXTRA_HOSTS", Programs: everywhere,
		Meaning: "comma-separated `host:port` allowed besides Salesforce's own domains; plain http only for these"},
	{Name: "DELIVERY_EXTRA_HOSTS", Programs: everywhere,
		Meaning: "comma-separated `host:port` that comments may be delivered to although they are bare addresses, `localhost` or plain http; other hosts are reached by name and over https only"},
	{Name: "METRICS_ADDR", Programs: servers,
		Meaning: "where Prometheus metrics (`/metrics`) and health (`/healthz`, `/readyz`) are served; not set = off, port 0 = any"},
	{Name: "TASK_QUEUES", Programs: []Program{Worker}, Default: strings.Join(flow.Queues, ","),
		Meaning: "comma-separated task queues that a worker serves, so that stages scale apart; each queue needs a worker somewhere"},
	{Name: "LOG_LEVEL", Default: "info", Programs: servers,
		Meaning: "`debug`, `info`, `warn` or `error`"},
	{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Programs: servers,
		Meaning: "where [traces](docs/monitoring.md#traces) go, over OTLP/HTTP, such as `http://otel-collector:4318`; not set = there are none"},
	{Name: "OTEL_EXPORTER_OTLP_HEADERS", Secret: true, Programs: servers,
		Meaning: "headers sent with them, `name=value,name=value`"},
	{Name: "OTEL_TRACES_EXPORTER", Programs: servers,
		Meaning: "`none` turns traces off although there is an endpoint, `otlp` on although there is none: then they go to `localhost:4318`"},
	{Name: "OTEL_*", Programs: servers,
		Meaning: "the other standard OpenTelemetry variables for traces, such as `OTEL_TRACES_SAMPLER` and `OTEL_RESOURCE_ATTRIBUTES`"},
	{Name: "ADMIN_EMAIL", Programs: []Program{Authsvc, Starter},
		Meaning: "first administrator, created by `starter setup` or `authsvc` when there is no user yet"},
	{Name: "ADMIN_PASSWORD", Secret: true, Programs: []Program{Authsvc, Starter},
		Meaning: "password of the first administrator"},
	{Name: "OIDC_ISSUER", Programs: []Program{Authsvc},
		Meaning: "identity provider where people may sign in, as its OpenID Connect issuer, such as `https://login.acme.example`; not set = with a password only"},
	{Name: "OIDC_CLIENT_ID", Programs: []Program{Authsvc},
		Meaning: "who we are at the identity provider"},
	{Name: "OIDC_CLIENT_SECRET", Secret: true, Programs: []Program{Authsvc},
		Meaning: "our secret there; not set = a public client, by PKCE alone"},
	{Name: "OIDC_ALLOWED_DOMAINS", Programs: []Program{Authsvc},
		Meaning: "comma-separated domains of verified addresses whose owners get a user, without rights, at their first sign-in; not set = only who was added"},
	{Name: "TEMPORAL_ADDRESS", Default: "localhost:7233", Programs: everywhere,
		Meaning: "Temporal's frontend, `host:port`"},
	{Name: "TEMPORAL_NAMESPACE", Default: "default", Programs: everywhere,
		Meaning: "Temporal namespace"},
	{Name: "TEMPORAL_API_KEY", Secret: true, Programs: everywhere,
		Meaning: "Temporal API key; turns TLS on"},
	{Name: "TEMPORAL_TLS*", Programs: everywhere,
		Meaning: "the other standard Temporal client variables, and `TEMPORAL_CONFIG_FILE` with `TEMPORAL_PROFILE`"},
	{Name: "TEMPORAL_UI_URL", Programs: []Program{Authsvc},
		Meaning: "Temporal's own web page as browsers reach it, such as `https://temporal.acme.example`; pages of integrations link to their workflows there. Not set = no links"},
}

// Variables lists every environment variable of the programs.
func Variables() []Variable { return variables }

func variable(name string) Variable {
	for _, v := range variables {
		if v.Name == name {
			return v
		}
	}
	panic("config: no variable " + name)
}

// Table renders Variables as a Markdown table, header included, as the README shows it.
func Table() string {
	var b strings.Builder
	b.WriteString("| variable | meaning | default | used by |\n|---|---|---|---|\n")
	for _, v := range variables {
		name := "`" + v.Name + "`"
		if v.Secret {
			name += "<br>`" + v.Name + "_FILE`"
		}
		def := ""
		if v.Default != "" {
			def = "`" + v.Default + "`"
		}
		var programs []string
		for _, p := range v.Programs {
			s := "`" + string(p) + "`"
			for _, q := range v.Required {
				if p == q {
					s += " (required)"
				}
			}
			programs = append(programs, s)
		}
		b.WriteString("| " + name + " | " + v.Meaning + " | " + def + " | " + strings.Join(programs, ", ") + " |\n")
	}
	return b.String()
}
