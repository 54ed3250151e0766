package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// answer is the reply to the status query.
func (b *backfill) answer(ctx workflow.Context) flow.BackfillStatus {
	s := flow.BackfillStatus{
		Project: b.params.Project, Integration: b.params.Integration, Object: b.params.Object,
		State: b.state.Status, Since: b.state.Since, Reason: b.reason, Hint: b.hint, Until: b.until, Began: b.state.Began,
		Parts: b.known.Parts, Done: b.known.Done, Planned: b.known.Planned, Expected: b.known.Expected, Rows: b.known.Rows,
		Reading: b.out, Pages: b.state.Pages, Totals: b.state.Totals,
	}
	for _, stream := range workflow.DeterministicKeys(b.parts) {
		if p := b.parts[stream]; p.kind != "" && p.busy(workflow.Now(ctx)) {
			s.Failures++
		}
	}
	return s
}

// show makes the state what the parts are in. Pages under way are progress, whatever
// other parts wait for.
func (b *backfill) show(ctx workflow.Context) {
	if b.parked || ctx.Err() != nil {
		b.describe(ctx)
		return
	}
	worst := b.worst(ctx)
	switch {
	case worst == nil:
		b.enter(ctx, flow.StateSyncing, "", "", time.Time{})
	case b.out > 0:
		b.enter(ctx, flow.StateSyncing, worst.Message, worst.Hint, worst.until)
	default:
		b.enter(ctx, stateOf(worst.kind), worst.Message, worst.Hint, worst.until)
	}
}

// stateOf is the state of a backfill of which everything waits for the same.
func stateOf(kind string) string {
	switch kind {
	case kindQuota:
		return flow.StateQuotaWait
	case kindConfig, kindPermission:
		return flow.StateConfigInvalid
	}
	return flow.StateBackingOff
}

// enter changes the state that people see in Temporal. PostgreSQL is told by the next
// step.
func (b *backfill) enter(ctx workflow.Context, state, reason, hint string, until time.Time) {
	b.reason, b.hint, b.until = reason, hint, until
	moved := state != b.state.Status
	if moved {
		b.state.Status, b.state.Since = state, workflow.Now(ctx)
	}
	b.describe(ctx)
	if moved {
		showState(ctx, state)
	}
}

// describe writes the workflow's current details, the Markdown that Temporal UI shows on
// top of the workflow's page. They are not part of history.
func (b *backfill) describe(ctx workflow.Context) {
	var s strings.Builder
	headline(&s, b.state.Status, b.state.Since, b.reason, b.hint, b.until)
	fmt.Fprintf(&s, "\n\n%s: %d", b.params.Object, b.known.Rows)
	if b.known.Expected > 0 {
		fmt.Fprintf(&s, " of about %d rows (%d%%)", b.known.Expected, min(100, 100*b.known.Rows/b.known.Expected))
	} else {
		s.WriteString(" rows")
	}
	if b.known.Parts > 0 {
		fmt.Fprintf(&s, ", %d of %d parts", b.known.Done, b.known.Parts)
		if !b.known.Planned {
			s.WriteString(" known so far")
		}
	}
	fmt.Fprintf(&s, ", since %s.\n\n| pages%s", b.state.Began.UTC().Format(time.RFC3339), countsHead)
	s.WriteString("|---" + countsRule)
	fmt.Fprintf(&s, "| %d", b.state.Pages)
	countsRow(&s, b.state.Totals)
	for _, stream := range workflow.DeterministicKeys(b.parts) {
		switch p := b.parts[stream]; {
		case p.running:
			fmt.Fprintf(&s, "\n- %s: page %d", p.name, p.page)
		case p.busy(workflow.Now(ctx)) && p.kind != "":
			fmt.Fprintf(&s, "\n- %s waits until %s: %s → %s", p.name, p.until.UTC().Format(time.RFC3339), p.Message, p.Hint)
		}
	}
	workflow.SetCurrentDetails(ctx, s.String())
}
