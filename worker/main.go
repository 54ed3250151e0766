// The worker program runs the Integration workflows and their activities: it polls
// Salesforce, makes comments of records and writes them to PostgreSQL. Any number of
// workers may run; each takes its share.
package main

import (
	"os"

	"salesforcesync/internal/app"
)

const help = `worker runs the integrations: it polls Salesforce, transforms records and writes comments.

It takes no arguments. The environment says where things are:
  DATABASE_URL            PostgreSQL
  ENCRYPTION_KEYS         the key ring that opens stored tokens
  TEMPORAL_ADDRESS …      Temporal, by its standard variables
  SALESFORCE_EXTRA_HOSTS  host:port allowed besides Salesforce's own hosts
  DELIVERY_EXTRA_HOSTS    host:port that comments may be delivered to although it is no https name
  TASK_QUEUES             the task queues it serves, all unless you scale stages apart
  METRICS_ADDR            where to serve /metrics, /healthz and /readyz; off when unset
  OTEL_EXPORTER_OTLP_ENDPOINT  where traces go; none when unset
  OTEL_EXPORTER_OTLP_HEADERS   headers sent with them
  OTEL_TRACES_EXPORTER         none turns them off
  OTEL_*                       OpenTelemetry's other standard variables for traces
  LOG_LEVEL               debug, info, warn or error

Run "starter setup" once before the first worker. Any number of workers may run.`

func main() { os.Exit(app.Main("worker", help, run)) }
