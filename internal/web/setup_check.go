package web

import (
	"net/http"
	"strings"

	"salesforcesync/internal/config"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/store"
)

type checkPage struct {
	setupFrame
	Part *checkPart
}

// checkPart is what a check found and what follows from it: the part that moves.
type checkPart struct {
	Path    string
	Running bool
	Problem string // why there is no report
	Report  *poll.Report
	Stale   bool // the report is of an earlier version
	Ready   bool // something can be synced
	Plan    *firstPlan
}

// firstPlan is what starting would mean.
type firstPlan struct {
	Rows      int64
	Uncounted bool // some objects could not be counted
	Bulk      bool
	Calls     int64 // of the first load
	Quota     operate.QuotaView
	Cap       int64
	Left      int64 // of the cap, this month
	StartFrom bool
}

// setupCheck shows what the check found and what starting would mean.
func (web *Web) setupCheck(v *visit) error {
	d, err := web.draftAt(v)
	if err != nil {
		return err
	}
	if !web.turnTo(v, d, stepStart) {
		return nil
	}
	p := checkPage{}
	if p.Part, err = web.checkPart(v, d); err != nil {
		return err
	}
	if p.setupFrame, err = web.setupFrame(v, d, stepStart, "Check of "+d.Project+"/"+d.Name); err != nil {
		return err
	}
	p.Moves = true
	return web.render(v, http.StatusOK, "setup-check", p)
}

// setupCheckLive is what moves of it.
func (web *Web) setupCheckLive(v *visit) (string, any, error) {
	d, err := web.draftAt(v)
	if err != nil {
		return "", nil, err
	}
	part, err := web.checkPart(v, d)
	return "check-part", part, err
}

func (web *Web) checkPart(v *visit, d *draft) (*checkPart, error) {
	ctx := v.r.Context()
	p := &checkPart{Path: d.Path}
	now, err := web.setup.Examination(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	p.Running = now.Running
	if now.Problem != "" {
		wrong := fieldErrors{}
		wrong.add("", now.Problem)
		wrong.add("", now.Hint)
		p.Problem = wrong[""]
	}
	if p.Report, _, err = web.setup.LastReport(ctx, d.ID); err != nil {
		return nil, err
	}
	if p.Report == nil {
		return p, nil
	}
	if p.Stale = p.Report.SpecVersion != d.Version; p.Stale {
		return p, nil
	}
	p.Ready = anyGood(p.Report)
	p.Plan = &firstPlan{Cap: d.Spec.MonthlyUnitCap, StartFrom: d.Spec.StartFrom != nil}
	for _, o := range p.Report.Objects {
		switch {
		case !o.OK:
		case o.Rows == nil:
			p.Plan.Uncounted = true
		default:
			load := operate.FirstLoad(o.Object, *o.Rows)
			p.Plan.Rows += load.Rows
			p.Plan.Calls += load.Calls
			p.Plan.Bulk = p.Plan.Bulk || load.Bytes > 0
		}
	}
	if p.Plan.Quota, err = web.setup.Forecast(ctx, d.Spec, d.ID); err != nil {
		return nil, err
	}
	if p.Plan.Cap > 0 {
		used, err := web.store.UnitCap(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		p.Plan.Left = used.Left()
	}
	return p, nil
}

// Every is for templates: how often Salesforce is asked.
func (p firstPlan) Every() string { return seconds(p.Quota.Interval) }

// Wanted is how often the file wants it to be asked, if that is more often.
func (p firstPlan) Wanted() string {
	if p.Quota.Interval <= p.Quota.Wanted {
		return ""
	}
	return seconds(p.Quota.Wanted)
}

// Capped reports whether the cap holds the first load up.
func (p firstPlan) Capped() bool { return p.Cap > 0 && p.Rows > p.Left }

// seconds writes seconds as people do: 29s, 1m34s.
func seconds(n float64) string {
	d := config.Duration(n * 1e9)
	if n >= 10 {
		d = config.Duration(int64(n+0.5) * 1e9)
	}
	return d.String()
}

// startCheck begins a check.
func (web *Web) startCheck(v *visit) error {
	d, err := web.draftAt(v)
	if err != nil {
		return err
	}
	if !web.turnTo(v, d, stepStart) {
		return nil
	}
	if err := web.setup.Examine(v.r.Context(), d.Integration); err != nil {
		return err
	}
	http.Redirect(v.w, v.r, d.Path+"/check", http.StatusSeeOther)
	return nil
}

// viewAllWords says whether the user sees every record.
func viewAllWords(v store.ViewAll) string {
	switch v {
	case store.ViewAllYes:
		return "all records"
	case store.ViewAllNo:
		return "only what is shared with it"
	}
	return "not known"
}

// fieldState says what a field's state means.
func fieldState(state string) string { return strings.ReplaceAll(state, "_", " ") }
