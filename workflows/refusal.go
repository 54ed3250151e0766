package workflows

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"
)

// versionRefusal gates that what was refused is asked again soon, and then ever less often. Before, it
// always waited for the last of refusedFor.
const versionRefusal = "refused is asked again soon"

// refusal is how long something waits that was refused so many times since it last went
// well, and at least as long as the refusal itself asks for.
//
// The count is of refusals, whatever each of them said: two that take turns are as much
// in vain as one that stays. Up to an eighth is taken off, so that an incident that hit many at once
// does not bring them back at once; it depends on the workflow's id, the name and
// the count alone.
func refusal(ctx workflow.Context, name string, times int, asked time.Duration) time.Duration {
	if workflow.GetVersion(ctx, versionRefusal, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return slices.Max(refusedFor)
	}
	wait := refusedFor[min(times, len(refusedFor))-1]
	h := fnv.New32a()
	fmt.Fprintf(h, "%s %s %d", workflow.GetInfo(ctx).WorkflowExecution.ID, name, times)
	return max(wait-wait/8*time.Duration(h.Sum32()%1000)/1000, asked)
}
