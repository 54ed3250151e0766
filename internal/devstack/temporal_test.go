package devstack

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

func startTemporal(t *testing.T, o TemporalOptions) *Temporal {
	t.Helper()
	o.Bin = os.Getenv("TEST_TEMPORAL_BIN") // "" = found or built
	o.Log = logTo(t)
	s, err := StartTemporal(testContext(t), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	return s
}

func dial(t *testing.T, s *Temporal, namespace string) client.Client {
	t.Helper()
	c, err := client.DialContext(testContext(t), client.Options{
		HostPort:  s.Address(),
		Namespace: namespace,
		Logger:    log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestTemporalKeepsWorkflowsOverAKill(t *testing.T) {
	t.Parallel()
	s := startTemporal(t, TemporalOptions{
		DBFile:     filepath.Join(t.TempDir(), "temporal.db"),
		Namespaces: []string{"sync"},
	})
	options := client.StartWorkflowOptions{ID: "kept", TaskQueue: "nobody-listens"}
	run, err := dial(t, s, "sync").ExecuteWorkflow(testContext(t), options, "Kept")
	require.NoError(t, err, "the server takes workflows as soon as it is said to be up")

	address := s.Address()
	require.NoError(t, s.Kill())
	require.Error(t, CheckTemporal(context.Background(), address, "sync"), "it is gone")

	require.NoError(t, s.Restart(testContext(t)))
	require.Equal(t, address, s.Address())
	d, err := dial(t, s, "sync").DescribeWorkflowExecution(testContext(t), "kept", "")
	require.NoError(t, err)
	require.Equal(t, run.GetRunID(), d.GetWorkflowExecutionInfo().GetExecution().GetRunId())
}

func TestTemporalThatIsNone(t *testing.T) {
	t.Parallel()
	_, err := StartTemporal(testContext(t), TemporalOptions{Bin: "/bin/false"})
	require.ErrorContains(t, err, "Temporal did not start")
}
