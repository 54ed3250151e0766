package workflows_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"

	"salesforcesync/internal/flow"
	"salesforcesync/workflows"
)

// Every recorded history, of every release, must replay: integrations run for as long
// as they exist, and a change that does not replay stops each of them. Do not record a
// release again to make this pass; gate the change with workflow.GetVersion.
func TestRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join("testdata", "v*", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, paths, "the recorded histories are there")
	kinds := map[string]int{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		kind := startedType.FindSubmatch(raw)
		require.NotNil(t, kind, path)
		kinds[string(kind[1])]++
	}
	for _, kind := range []string{flow.WorkflowIntegration, flow.WorkflowBackfill, flow.WorkflowDelivery, flow.WorkflowRetransform} {
		require.Positive(t, kinds[kind], "a history of each workflow is recorded: %s", kind)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(path, "testdata/"), ".json"), func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			workflows.Register(replayer)
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(nil, path))
		})
	}
}

// startedType is the type of the workflow that a history is of.
var startedType = regexp.MustCompile(`"workflowType":\s*\{\s*"name":\s*"(\w+)"`)

// History is kept, shown and exported: what travels through it is small and holds
// names, counts and times only.
func TestRecordedPayloadsAreSmall(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join("testdata", "v*", "*.json"))
	require.NoError(t, err)
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		for line := range strings.Lines(string(raw)) {
			if strings.Contains(line, `"data":`) {
				require.Less(t, len(line), 6000, path) // base64 of 4 KB
			}
		}
	}
}
