// The authsvc program is the HTTP door: sign-in and the web page, the connection
// to Salesforce by OAuth, and the comments API. Any number of them may run behind one address.
package main

import (
	"os"

	"salesforcesync/internal/app"
)

const help = `authsvc is the HTTP door: web page, OAuth with Salesforce, comments API.

It takes no arguments. The environment says where things are:
  DATABASE_URL            PostgreSQL
  ENCRYPTION_KEYS         the key ring that seals secrets at rest
  PUBLIC_URL              outside base URL, such as https://sync.acme.example
  LISTEN_ADDR             where to listen, default 127.0.0.1:8080
  TRUSTED_PROXIES         proxies in front, whose X-Forwarded-For is believed
  TEMPORAL_ADDRESS …      Temporal, by its standard variables
  TEMPORAL_UI_URL         Temporal's own web page, which integrations link to
  SALESFORCE_EXTRA_HOSTS  host:port allowed besides Salesforce's own hosts
  DELIVERY_EXTRA_HOSTS    host:port that comments may be delivered to although it is no https name
  ADMIN_EMAIL             first administrator, created when there is no user,
  ADMIN_PASSWORD          and the administrator's password
  OIDC_ISSUER             identity provider where people may sign in, see docs/access.md
  OIDC_CLIENT_ID          who we are there
  OIDC_CLIENT_SECRET      our secret there; a public client has none
  OIDC_ALLOWED_DOMAINS    whose owners of addresses get a user at their first sign-in
  METRICS_ADDR            where to serve /metrics, /healthz and /readyz; off when unset
  OTEL_EXPORTER_OTLP_ENDPOINT  where traces go; none when unset
  OTEL_EXPORTER_OTLP_HEADERS   headers sent with them
  OTEL_TRACES_EXPORTER         none turns them off
  OTEL_*                       OpenTelemetry's other standard variables for traces
  LOG_LEVEL               debug, info, warn or error

Run "starter setup" once before the first start.`

func main() { os.Exit(app.Main("authsvc", help, run)) }
