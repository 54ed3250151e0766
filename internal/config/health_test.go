package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
)

func TestHealthAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		metrics, listen string
		door            bool
		want, problem   string
	}{
		"a worker":               {metrics: "0.0.0.0:9090", want: "127.0.0.1:9090"},
		"authsvc as it comes":    {want: "127.0.0.1:8080"},
		"the door":               {listen: ":8443", want: "127.0.0.1:8443"},
		"metrics before door":    {metrics: "10.0.0.7:9090", listen: "0.0.0.0:8080", want: "10.0.0.7:9090"},
		"the door is asked for":  {metrics: "10.0.0.7:9090", listen: "0.0.0.0:8080", door: true, want: "127.0.0.1:8080"},
		"IPv6, everywhere":       {metrics: "[::]:9090", want: "[::1]:9090"},
		"by name":                {metrics: "localhost:9090", want: "localhost:9090"},
		"any port":               {metrics: "127.0.0.1:0", problem: "METRICS_ADDR=127.0.0.1:0 is any port"},
		"no port":                {listen: "localhost", problem: `LISTEN_ADDR: "localhost" is not host:port`},
		"a port that is not one": {metrics: "localhost:70000", problem: `METRICS_ADDR: "localhost:70000" is not host:port`},
	} {
		got, err := config.HealthAddressFrom(func(variable string) string {
			return map[string]string{"METRICS_ADDR": c.metrics, "LISTEN_ADDR": c.listen}[variable]
		}, c.door)
		if c.problem != "" {
			require.ErrorContains(t, err, c.problem, name)
			require.True(t, fault.Is(err, fault.Invalid), name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
}
