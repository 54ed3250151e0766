package operate

import (
	"cmp"
	"context"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

const (
	// defaultCheckWait is how long Check waits for a fresh report.
	defaultCheckWait = time.Minute
	checkLook        = 500 * time.Millisecond
)

// Check asks the workflow for a fresh look at Salesforce and waits until there is a report of it. waiting, if
// any, is told now and then for how long. Errors: a [Refused] when Salesforce cannot be asked now, no workflow runs
// or no report came in time.
func (h *Hand) Check(ctx context.Context, i store.Integration, waiting func(time.Duration)) error {
	switch {
	case !Connected(i):
		return refuse(fault.Conflict, NotConnected, i, "%s is not connected to Salesforce: nothing can be checked", nameOf(i))
	case i.Desired != store.DesiredRunning:
		return refuse(fault.Conflict, Stopped, i, "%s is %s: Salesforce is not asked", nameOf(i), i.Desired)
	}
	request, err := h.Store.RequestCheck(ctx, i.ID)
	if err != nil {
		return err
	}
	if _, err := h.told(ctx, i, flow.SignalConfigChanged, Done{}); err != nil {
		return err
	}
	began := time.Now()
	told := began
	if waiting != nil { // however soon the report is there
		waiting(0)
	}
	wait := cmp.Or(h.CheckWait, defaultCheckWait)
	for {
		stored, err := h.Store.CheckReport(ctx, i.ID)
		if err != nil || stored.Answered >= request {
			return err
		}
		if time.Since(began) >= wait {
			return refuse(fault.Transient, NoReport, i, "no fresh report within %s", wait.Round(time.Second))
		}
		if waiting != nil && time.Since(told) >= 10*time.Second {
			told = time.Now()
			waiting(time.Since(began))
		}
		if err := Rest(ctx, checkLook); err != nil {
			return err
		}
	}
}
