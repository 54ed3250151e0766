package operate

import (
	"context"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// Backfilled is what asking for backfills did, or steering them.
type Backfilled struct {
	Done
	Objects   []string
	UnderWay  []string // of all objects, those with a backfill already
	Estimates []LoadEstimate
}

// Backfill asks for all records of the objects to be read again in bulk, beside live sync; zero times do not
// bound, and without objects it is of all that have no backfill under way. It begins after a resume or a
// grant that is missing.
func (h *Hand) Backfill(ctx context.Context, i store.Integration, objects []string, from, until time.Time) (Backfilled, error) {
	result := Backfilled{Done: Done{Desired: i.Desired, Workflow: WorkflowNotStarted}, Objects: []string{}, UnderWay: []string{}, Estimates: []LoadEstimate{}}
	if err := connectable(i); err != nil {
		return result, err
	}
	names, err := h.ObjectNames(ctx, i, objects)
	if err != nil {
		return result, err
	}
	open, err := h.openBackfills(ctx, i)
	if err != nil {
		return result, err
	}
	for _, name := range names {
		if !slices.Contains(open, name) {
			result.Objects = append(result.Objects, name)
		} else {
			result.UnderWay = append(result.UnderWay, name)
		}
	}
	// Before anything is asked for: half of what was named is not what was meant.
	if len(result.Objects) == 0 || len(objects) > 0 && len(result.UnderWay) > 0 {
		r := refuse(fault.Conflict, UnderWay, i, "a backfill of %s is under way", strings.Join(result.UnderWay, " and of "))
		r.Objects = result.UnderWay
		return result, r
	}
	for _, name := range result.Objects {
		size, err := h.Store.LoadSize(ctx, i.ID, name)
		if err != nil {
			return result, err
		}
		result.Estimates = append(result.Estimates, estimate(name, size))
	}
	for _, name := range result.Objects {
		if err := h.Store.RequestBackfill(ctx, i.ID, name, from, until, byHand); err != nil {
			return result, err
		}
	}
	result.Written = true
	if i.Desired == store.DesiredPaused {
		return result, nil
	}
	result.Done, err = h.told(ctx, i, flow.SignalSyncNow, result.Done)
	return result, err
}

// SteerBackfills pauses, resumes or cancels backfills that are under way: those of the objects, or all.
// signal is one of package flow's.
func (h *Hand) SteerBackfills(ctx context.Context, i store.Integration, objects []string, signal string) (Backfilled, error) {
	result := Backfilled{Done: Done{Desired: i.Desired, Workflow: WorkflowNotStarted}, UnderWay: []string{}, Estimates: []LoadEstimate{}}
	names, err := h.openBackfills(ctx, i)
	if err != nil {
		return result, err
	}
	if len(objects) > 0 {
		named, err := h.ObjectNames(ctx, i, objects)
		if err != nil {
			return result, err
		}
		for _, name := range named {
			if !slices.Contains(names, name) {
				r := refuse(fault.NotFound, NoneUnderWay, i, "no backfill of %s is under way in %s", name, nameOf(i))
				r.Objects = []string{name}
				return result, r
			}
		}
		names = named
	}
	if len(names) == 0 {
		return result, refuse(fault.NotFound, NoneUnderWay, i, "no backfill is under way in %s", nameOf(i))
	}
	result.Objects = names
	for _, name := range names {
		if err := h.Store.SteerBackfill(ctx, i.Project, i.Name, name, signal); err != nil {
			return result, err
		}
	}
	result.Written = true
	temporal, err := h.Dial(ctx)
	if err != nil {
		return result, err
	}
	defer temporal.Close()
	for _, name := range names { // one that does not run is told by PostgreSQL when it is started
		running, err := temporal.Signal(ctx, flow.BackfillID(i.Project, i.Name, name), signal)
		if err != nil {
			return result, err
		}
		if running {
			result.Workflow = WorkflowSignalled
		}
	}
	return result, nil
}

// openBackfills names the objects of which a backfill is under way.
func (h *Hand) openBackfills(ctx context.Context, i store.Integration) ([]string, error) {
	list, err := h.Store.Backfills(ctx, i.ID)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, b := range list {
		if b.State == store.BackfillOpen {
			names = append(names, b.Object)
		}
	}
	return names, nil
}

// bytesPerRecord is what a record with a mail takes, about; of an org that was never read nobody knows better.
const bytesPerRecord = 8 << 10

// FirstLoad estimates what loading so many records for the first time takes.
func FirstLoad(object string, rows int64) LoadEstimate {
	if rows < restBelow {
		return LoadEstimate{Object: object, Rows: rows, Calls: (rows + restPage - 1) / restPage}
	}
	return estimate(object, store.LoadSize{Rows: rows, Bytes: rows * bytesPerRecord})
}

// LoadEstimate is how much an object's backfill will probably read. Zeros are not known.
type LoadEstimate struct {
	Object string `json:"object"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	Calls  int64  `json:"api_requests"`
}

// What an estimate goes by.
const (
	pageBytes    = 32 << 20 // of a result's page, which one request gets
	partsAimed   = 16
	fewestRows   = 5_000 // of a part, and most
	mostRows     = 250_000
	callsPerPart = 6      // to count, to ask for a job, look at it and remove it
	restBelow    = 10_000 // rows of a first load that are read over REST
	restPage     = 2_000
)

func estimate(object string, size store.LoadSize) LoadEstimate {
	e := LoadEstimate{Object: object, Rows: size.Rows, Bytes: size.Bytes}
	if size.Rows > 0 && size.Bytes > 0 {
		part := min(max(size.Rows/partsAimed, fewestRows), mostRows)
		e.Calls = (size.Bytes+pageBytes-1)/pageBytes + callsPerPart*((size.Rows+part-1)/part)
	}
	return e
}
