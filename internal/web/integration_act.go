package web

import (
	"context"
	"errors"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/operate"
)

// deed is what a button of an integration does, and what is said when it is done.
type deed struct {
	do   func(ctx context.Context, o Operator, project, integration, object string) error
	done string
}

var (
	pause = deed{func(ctx context.Context, o Operator, project, integration, _ string) error {
		return o.Pause(ctx, project, integration)
	},
		" is paused: nothing is asked of Salesforce any more, large loads included. Comments stay readable, and nothing is lost: it goes on where it was."}
	resume = deed{func(ctx context.Context, o Operator, project, integration, _ string) error {
		return o.Resume(ctx, project, integration)
	},
		" goes on where it was, and looks for news now."}
	syncNow = deed{func(ctx context.Context, o Operator, project, integration, _ string) error {
		return o.SyncNow(ctx, project, integration)
	},
		" looks for news now."}
	backfill = deed{func(ctx context.Context, o Operator, project, integration, object string) error {
		return o.Backfill(ctx, project, integration, object)
	}, " reads all records again, beside live sync. It costs no AI units where no text has changed."}
	resumeBackfill = deed{func(ctx context.Context, o Operator, project, integration, object string) error {
		return o.ResumeBackfill(ctx, project, integration, object)
	}, " goes on with the load where it was."}
	deliverAgain = deed{func(ctx context.Context, o Operator, project, integration, _ string) error {
		return o.DeliverAgain(ctx, project, integration)
	},
		" sends all comments to the tenant again. What it has already is not changed there."}
)

// does makes the handler of a button.
func does(d deed) func(*Web, *visit) error {
	return func(web *Web, v *visit) error {
		project, integration, err := web.mayAt(v, access.IntegrationsWrite)
		if err != nil {
			return err
		}
		if err := v.r.ParseForm(); err != nil {
			return fault.Wrap(fault.Invalid, err, "the form did not arrive whole")
		}
		err = d.do(v.r.Context(), web.hand, project, integration, v.r.PostForm.Get("object"))
		at := integrationPath(project, integration)
		var refused *operate.Refused
		switch {
		case err == nil:
			return web.done(v, at, project+"/"+integration+d.done)
		// Whoever pressed the button stays on its page, and is told there what stands in the way.
		case errors.As(err, &refused), fault.Is(err, fault.Conflict, fault.Unreachable, fault.Reauthorize, fault.Quota):
			message := sentence(err)
			if hint := hintSentence(err); hint != "" {
				message += " " + hint
			}
			return web.tell(v, at, "error", message)
		}
		return err
	}
}
