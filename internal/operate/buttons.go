package operate

import (
	"context"
	"errors"
	"strings"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// Buttons are a [Hand] for pages: it takes names, starts a workflow that is not there, and its errors are for
// people without a terminal.
type Buttons struct{ *Hand }

// Pause stops all calls to Salesforce within seconds.
func (b Buttons) Pause(ctx context.Context, project, integration string) error {
	return b.steer(ctx, project, integration, "is paused, and Salesforce is not asked any more", b.Hand.Pause)
}

// Resume lets a paused integration go on.
func (b Buttons) Resume(ctx context.Context, project, integration string) error {
	return b.steer(ctx, project, integration, "is no longer paused", b.Hand.Resume)
}

// SyncNow looks for news at once.
func (b Buttons) SyncNow(ctx context.Context, project, integration string) error {
	return b.steer(ctx, project, integration, "was asked to look for news", b.Hand.SyncNow)
}

// Start starts what was applied.
func (b Buttons) Start(ctx context.Context, project, integration string) error {
	return b.steer(ctx, project, integration, "is to run", b.Hand.Start)
}

// Backfill reads all records of an object again in bulk; "" is all objects.
func (b Buttons) Backfill(ctx context.Context, project, integration, object string) error {
	var objects []string
	if object != "" {
		objects = []string{object}
	}
	return b.steer(ctx, project, integration, "reads again what was asked for", func(ctx context.Context, i store.Integration) (Done, error) {
		done, err := b.Hand.Backfill(ctx, i, objects, time.Time{}, time.Time{})
		return done.Done, err
	})
}

// ResumeBackfill lets the paused backfill of an object go on.
func (b Buttons) ResumeBackfill(ctx context.Context, project, integration, object string) error {
	return b.steer(ctx, project, integration, "goes on with the load of "+object, func(ctx context.Context, i store.Integration) (Done, error) {
		done, err := b.SteerBackfills(ctx, i, []string{object}, flow.SignalResume)
		return done.Done, err
	})
}

// DeliverAgain has all comments sent to the tenant once more.
func (b Buttons) DeliverAgain(ctx context.Context, project, integration string) error {
	return b.steer(ctx, project, integration, "sends all comments again", b.Hand.DeliverAgain)
}

// Disconnect gives the access to Salesforce back.
func (b Buttons) Disconnect(ctx context.Context, project, integration string) error {
	var revoked error
	err := b.steer(ctx, project, integration, "is disconnected", func(ctx context.Context, i store.Integration) (Done, error) {
		done, err := b.Hand.Disconnect(ctx, i)
		revoked = done.Revoked
		return done.Done, err
	})
	if revoked != nil && err == nil {
		return fault.Wrap(fault.Transient, revoked, "%s/%s is disconnected and its tokens are erased here, but Salesforce could not be told", project, integration).
			WithHint("revoke the app in Salesforce: Setup, Connected Apps OAuth Usage")
	}
	return err
}

// Delete removes the integration; comments stay, unless erase.
func (b Buttons) Delete(ctx context.Context, project, integration string, erase bool) error {
	i, err := b.Store.IntegrationByName(ctx, project, integration)
	if err != nil {
		return plainly(err)
	}
	_, err = b.Hand.Delete(ctx, i, erase, nil)
	return plainly(err)
}

// steer does something to an integration and says in words what happened although it failed.
func (b Buttons) steer(ctx context.Context, project, integration, happened string, do func(context.Context, store.Integration) (Done, error)) error {
	i, err := b.Store.IntegrationByName(ctx, project, integration)
	if err != nil {
		return plainly(err)
	}
	done, err := do(ctx, i)
	var refused *Refused
	switch {
	case errors.As(err, &refused) && refused.Why == NoWorkflow:
		if _, err = b.Hand.Start(ctx, i); err == nil {
			return nil
		}
		return plainly(err)
	case done.Written && fault.Is(err, fault.Unreachable):
		return fault.Wrap(fault.Unreachable, err, "%s %s; Temporal does not answer, so that is shown late", nameOf(i), happened).
			WithHint("nothing has to be done again: it is written down")
	}
	return plainly(err)
}

// plainly gives a refusal the next step on a page, and takes away hints that name commands.
func plainly(err error) error {
	var r *Refused
	if errors.As(err, &r) {
		if hint := pageSteps[r.Why]; hint != "" {
			return r.WithHint("%s", hint)
		}
		return err
	}
	var f *fault.Error
	if errors.As(err, &f) && strings.Contains(f.Hint, "starter") {
		plain := *f
		plain.Hint = ""
		return &plain
	}
	return err
}

var pageSteps = map[Why]string{
	Disconnected: "authorize it in Salesforce again: it goes on by itself after the grant",
	NotConnected: "authorize it in Salesforce first",
	Paused:       "resume it first",
	Stopped:      "resume it first",
	NoObjects:    "choose objects first",
	UnderWay:     "it goes on by itself; the page shows how far it is",
	NoneUnderWay: "it has ended; the page shows what became of it",
	NoReport:     "the report comes by itself when it can; if it never comes, ask the operator whether a worker runs",
}
