package bill

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// longestName bounds a name that is asked for: no project or source has a longer one.
const longestName = 1024

// ReadFilter reads which units are asked for: from and to, which are days, project, source, integration
// and reason. Who asks, and may see what of it, is not known here. Errors: fault.Invalid.
func ReadFilter(values url.Values) (store.LedgerFilter, error) {
	f := store.LedgerFilter{Project: values.Get("project"), Source: values.Get("source"), Integration: values.Get("integration"), Reason: values.Get("reason")}
	for name, into := range map[string]*time.Time{"from": &f.From, "to": &f.To} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return f, fault.New(fault.Invalid, "%s is %.40q, want a day (UTC) such as 2026-11-30", name, text)
		}
		*into = day
	}
	if !f.From.IsZero() && !f.To.IsZero() && f.To.Before(f.From) {
		return f, wrongOrder(f)
	}
	for name, may := range map[string]func(string) bool{"project": config.MayNameProject, "source": config.MayNameSource, "integration": config.MayNameSource} {
		if text := values.Get(name); text != "" && (len(text) > longestName || !may(text)) {
			return f, fault.New(fault.Invalid, "%s is %.40q, which cannot be a name", name, text)
		}
	}
	if f.Reason != "" && f.Reason != store.ReasonCreated && f.Reason != store.ReasonTextChanged {
		return f, fault.New(fault.Invalid, "reason is %.40q, want %s or %s", f.Reason, store.ReasonCreated, store.ReasonTextChanged)
	}
	return f, nil
}

func wrongOrder(f store.LedgerFilter) error {
	return fault.New(fault.Invalid, "to is %s, before from, %s", f.To.Format(time.DateOnly), f.From.Format(time.DateOnly))
}

// Report is what the units of some days come to.
type Report struct {
	From, To time.Time // days, both included
	Units    int64
	Rows     []store.UsageRow
	Month    Month // the present one, whatever days were asked for
}

// ReportOf sums the units that a filter chooses, grouped by some of [store.Groups]. A day that the filter leaves
// open is the first or the last one of the present month.
func ReportOf(ctx context.Context, s Ledger, f store.LedgerFilter, groups ...string) (Report, error) {
	month, err := MonthOf(ctx, s, f)
	if err != nil {
		return Report{}, err
	}
	if f.From.IsZero() {
		f.From = month.Start
	}
	if f.To.IsZero() {
		f.To = month.End.AddDate(0, 0, -1)
	}
	if f.To.Before(f.From) {
		return Report{}, wrongOrder(f)
	}
	r := Report{From: f.From, To: f.To, Month: month}
	if r.Rows, err = s.Usage(ctx, f, groups...); err != nil {
		return Report{}, err
	}
	for _, row := range r.Rows {
		r.Units += row.Units
	}
	return r, nil
}

// CapsOf reads the caps of the integrations that a filter leaves in, in projects of which they may be seen.
func CapsOf(ctx context.Context, s Ledger, f store.LedgerFilter, mayBeSeen func(project string) bool) ([]store.Cap, error) {
	all, err := s.UnitCaps(ctx)
	if err != nil {
		return nil, err
	}
	var caps []store.Cap
	for _, c := range all {
		if mayBeSeen(c.Project) && c.Project == cmp.Or(f.Project, c.Project) && c.Integration == cmp.Or(f.Integration, c.Integration) {
			caps = append(caps, c)
		}
	}
	return caps, nil
}
