package flow_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/flow"
)

func TestWhatAWorkflowIsAbout(t *testing.T) {
	t.Parallel()
	for _, id := range []string{flow.WorkflowID("support", "prod"), flow.BackfillID("support", "prod", "EmailMessage"), flow.DeliveryID("support", "prod"), flow.RetransformID("support", "prod")} {
		about := flow.About(id, "")
		require.Contains(t, about, "**support/prod**", id)
		require.Contains(t, about, "`starter status support/prod", id)
		require.NotContains(t, about, "](", id)
		require.Less(t, len(about), 1000, "it is in the history of each")
		require.Contains(t, flow.About(id, "https://sync.acme.example"), "\n- [Its page](https://sync.acme.example/integrations/support/prod)\n", id)
		project, integration := flow.OfWorkflow(id)
		require.Equal(t, "support/prod", project+"/"+integration)
	}
	require.Contains(t, flow.About(flow.BackfillID("support", "prod", "EmailMessage"), ""), "--object EmailMessage --pause")
	for _, other := range []string{"", "something", "something/else/again", "integration/support"} {
		require.Empty(t, flow.About(other, "https://sync.acme.example"), other)
	}
}
