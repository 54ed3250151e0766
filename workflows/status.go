package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// answer is the reply to the status query.
func (l *loop) answer() flow.Status {
	s := flow.Status{
		Project: l.params.Project, Integration: l.params.Integration,
		State: l.state.Status, Since: l.state.Since, Reason: l.reason, Hint: l.hint, Until: l.until,
		LastWatch: l.state.LastWatch, Totals: l.state.Totals, Objects: []flow.ObjectStatus{},
	}
	for _, name := range workflow.DeterministicKeys(l.state.Objects) {
		o := l.state.Objects[name]
		s.Objects = append(s.Objects, flow.ObjectStatus{Object: name, State: l.objectState(name), Batches: o.Batches,
			Totals: o.Totals, Fault: o.Fault, Hint: o.Hint, RetryAt: o.RetryAt})
	}
	return s
}

func (l *loop) objectState(name string) string {
	switch o := l.state.Objects[name]; {
	case l.running[name]:
		return flow.StateSyncing
	case o.Kind == kindConfig:
		return flow.StateConfigInvalid
	case o.Kind == kindQuota:
		return flow.StateQuotaWait
	case o.Kind != "":
		return flow.StateBackingOff
	}
	return flow.StateIdle
}

// describe writes the workflow's current details, the Markdown that Temporal UI shows
// on top of the workflow's page. They are not part of history.
func (l *loop) describe(ctx workflow.Context) {
	var b strings.Builder
	headline(&b, l.state.Status, l.state.Since, l.reason, l.hint, l.until)
	if len(l.state.Objects) > 0 {
		b.WriteString("\n\n| object | state | batches" + countsHead + "|---|---|---" + countsRule)
		for _, name := range workflow.DeterministicKeys(l.state.Objects) {
			o := l.state.Objects[name]
			fmt.Fprintf(&b, "| %s | %s | %d", name, l.objectState(name), o.Batches)
			countsRow(&b, o.Totals)
		}
		for _, name := range workflow.DeterministicKeys(l.state.Objects) {
			if o := l.state.Objects[name]; o.Fault != "" {
				fmt.Fprintf(&b, "\n**%s**: %s → %s\n", name, o.Fault, o.Hint)
			}
		}
	}
	workflow.SetCurrentDetails(ctx, b.String())
}

// headline says which state it is, since when, why, and what to do about it.
func headline(b *strings.Builder, state string, since time.Time, reason, hint string, until time.Time) {
	fmt.Fprintf(b, "**%s** since %s", state, since.UTC().Format(time.RFC3339))
	if reason != "" {
		fmt.Fprintf(b, "\n\n%s", reason)
	}
	if hint != "" {
		fmt.Fprintf(b, "\n\n→ %s", hint)
	}
	if !until.IsZero() {
		fmt.Fprintf(b, "\n\nGoes on by itself at %s.", until.UTC().Format(time.RFC3339))
	}
}

// Columns of a table of counts, behind those that say whose they are.
const (
	countsHead = " | created | text changed | metadata changed | unchanged | set aside | deleted | AI units |\n"
	countsRule = "|---|---|---|---|---|---|---|\n"
)

func countsRow(b *strings.Builder, c flow.Counts) {
	fmt.Fprintf(b, " | %d | %d | %d | %d | %d | %d | %d |\n",
		c.Created, c.TextChanged, c.MetadataChanged, c.Unchanged, c.SetAside, c.Deleted, c.Units)
}
