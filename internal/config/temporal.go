package config

import (
	"strings"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
)

// TemporalOptions gives the options of a Temporal client from the standard TEMPORAL_*
// variables and the configuration file they name, as Temporal's own tools read them,
// and from TEMPORAL_API_KEY_FILE. Errors are fault.Invalid.
func (c *Config) TemporalOptions() (client.Options, error) {
	o, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: c.temporal})
	if err != nil {
		return client.Options{}, fault.Wrap(fault.Invalid, err, "environment: TEMPORAL_* variables")
	}
	if o.HostPort == "" {
		o.HostPort = client.DefaultHostPort
	}
	if o.Namespace == "" {
		o.Namespace = client.DefaultNamespace
	}
	return o, nil
}

// temporalEnv is the environment as Temporal's reader sees it, with the API key that
// a file may have held.
type temporalEnv struct {
	lookup  func(string) string
	environ func() []string
	apiKey  secret.Text
}

// LookupEnv gives one variable; an empty one counts as not set.
func (e temporalEnv) LookupEnv(name string) (string, bool) {
	if name == "TEMPORAL_API_KEY" {
		return e.apiKey.Reveal(), e.apiKey != ""
	}
	v := e.lookup(name)
	return v, v != ""
}

// Environ lists what is asked for by prefix only: TEMPORAL_GRPC_META_*.
func (e temporalEnv) Environ() []string {
	if e.environ == nil {
		return nil
	}
	var out []string
	for _, pair := range e.environ() {
		if strings.HasPrefix(pair, "TEMPORAL_GRPC_META_") {
			out = append(out, pair)
		}
	}
	return out
}
