package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// inbox hears the signals of a workflow. Each name has a channel of its own, so when
// several wait unread nobody knows their order any more: they are taken in that of names.
type inbox struct {
	names    []string
	channels map[string]workflow.ReceiveChannel
	unheard  map[string]bool // received and not taken; true: PostgreSQL knows already
	nudges   int             // signals heard
}

func newInbox(ctx workflow.Context, names []string) inbox {
	i := inbox{names: names, channels: map[string]workflow.ReceiveChannel{}, unheard: map[string]bool{}}
	for _, name := range names {
		i.channels[name] = workflow.GetSignalChannel(ctx, name)
	}
	return i
}

// heard takes signals off their channels and reports whether any wait to be taken. It
// does not block and schedules nothing, so that it may be part of a condition. A
// payload may be anything; only the one that says "written" is understood.
func (i *inbox) heard() bool {
	for _, name := range i.names {
		var payload converter.RawValue
		for i.channels[name].ReceiveAsync(&payload) {
			i.nudges++
			written := isWritten(payload)
			if before, twice := i.unheard[name]; twice {
				written = written && before
			}
			i.unheard[name] = written
			payload = converter.RawValue{}
		}
	}
	return len(i.unheard) > 0
}

func isWritten(raw converter.RawValue) bool {
	var p flow.SignalPayload
	return raw.Payload() != nil && converter.GetDefaultDataConverter().FromPayload(raw.Payload(), &p) == nil && p.Written
}

// take gives the next signal heard and whether whoever sent it has written to
// PostgreSQL what it means; ok is false when there is none.
func (i *inbox) take() (name string, written, ok bool) {
	if !i.heard() {
		return "", false, false
	}
	at := slices.IndexFunc(i.names, func(name string) bool { _, ok := i.unheard[name]; return ok })
	name = i.names[at]
	written = i.unheard[name]
	delete(i.unheard, name)
	return name, written, true
}

// wait sleeps, but no longer than until a signal arrives or until holds.
func (i *inbox) wait(ctx workflow.Context, d time.Duration, summary string, until func() bool) error {
	_, err := workflow.AwaitWithOptions(ctx,
		workflow.AwaitOptions{Timeout: d, TimerOptions: workflow.TimerOptions{Summary: summary}},
		func() bool { return i.heard() || until != nil && until() })
	return err
}

// listen waits for an activity and lets absorb act on signals meanwhile: they act
// through PostgreSQL, and an activity that looks there comes back by itself when it must.
func (i *inbox) listen(ctx workflow.Context, f workflow.Future, absorb func(workflow.Context) error) error {
	for !f.IsReady() {
		if err := workflow.Await(ctx, func() bool { return f.IsReady() || i.heard() }); err != nil {
			return err
		}
		if err := absorb(ctx); err != nil {
			return err
		}
	}
	return nil
}
