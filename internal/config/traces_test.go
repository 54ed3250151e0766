package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
)

func TestWhenTracesAreOn(t *testing.T) {
	t.Parallel()
	needed := map[string]string{"DATABASE_URL": "postgres://h/db", "ENCRYPTION_KEYS": testKey}
	load := func(set map[string]string, program config.Program) (config.Traces, error) {
		env := map[string]string{}
		for _, m := range []map[string]string{needed, set} {
			for k, v := range m {
				env[k] = v
			}
		}
		c, err := config.LoadFrom(lookup(env), program)
		if err != nil {
			return config.Traces{}, err
		}
		return c.Traces, nil
	}
	const endpoint = "http://otel-collector:4318"
	for name, tt := range map[string]struct {
		set map[string]string
		on  bool
	}{
		"nothing set":           {nil, false},
		"an endpoint":           {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, true},
		"one for traces":        {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": endpoint + "/v1/traces"}, true},
		"asked for":             {map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, true},
		"not wanted":            {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_TRACES_EXPORTER": "none"}, false},
		"nothing of it at all":  {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SDK_DISABLED": "TRUE"}, false},
		"other variables alone": {map[string]string{"OTEL_TRACES_SAMPLER": "always_on"}, false},
	} {
		traces, err := load(tt.set, config.Worker)
		require.NoError(t, err, name)
		require.Equal(t, tt.on, traces.On, name)
	}
	traces, err := load(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_HEADERS_FILE": writeFile(t, "authorization=Bearer%20secret, x=y\n")}, config.Worker)
	require.NoError(t, err)
	require.Equal(t, "Bearer secret", traces.Headers["authorization"].Reveal())
	require.Equal(t, "y", traces.Headers["x"].Reveal())
	traces, err = load(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "what starter is given does not matter"}, config.Starter)
	require.NoError(t, err)
	require.False(t, traces.On)
	for set, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://user:planted@collector", "OTEL_TRACES_EXPORTER": "zipkin",
		"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_HEADERS": "planted",
	} {
		_, err := load(map[string]string{set: value}, config.Worker)
		require.ErrorContains(t, err, set+": ")
		require.NotContains(t, err.Error(), "planted")
	}
}
