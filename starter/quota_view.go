package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/quota"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

// quotaView is an org's API requests and an integration's part in them, in JSON: a
// contract with scripts.
type quotaView struct {
	OrgKnown     bool       `json:"org_known"` // false: numbers of the org are assumed
	OrgMax       int64      `json:"org_requests_max"`
	OrgUsed      int64      `json:"org_requests_used"` // by whomever
	ToldAt       *time.Time `json:"told_at"`           // when Salesforce said so
	AppMax       int64      `json:"app_requests_max"`  // the app's own allowance; 0 = the org sets none
	AppUsed      int64      `json:"app_requests_used"`
	Share        string     `json:"share"` // the strictest of the org's integrations
	Reserve      string     `json:"reserve"`
	OwnMax       int64      `json:"own_requests_max"`
	OwnUsed      int64      `json:"own_requests_used"`
	Integrations int        `json:"integrations"`      // that share it, this one included
	GoesOn       *time.Time `json:"goes_on,omitempty"` // set while nothing may be asked

	CallEvery    float64 `json:"seconds_per_call"` // what the share comes to
	Wanted       float64 `json:"interval_wanted_seconds"`
	Interval     float64 `json:"interval_seconds"`
	Reason       string  `json:"reason,omitempty"` // why Interval is longer than Wanted
	CallsPerLook float64 `json:"calls_per_look"`
	Measured     bool    `json:"measured"` // CallsPerLook was measured, not worked out from the file
	CallsPerDay  int64   `json:"calls_per_day_idle"`
}

func viewBudget(b quota.Budget) quotaView {
	v := quotaView{
		OrgKnown: b.Known(), OrgMax: b.Max(), OrgUsed: b.Told.Used, AppMax: b.Told.AppMax, AppUsed: b.Told.AppUsed,
		Share: b.Terms.Share.String(), Reserve: b.Terms.Reserve.String(), OwnMax: b.Most(), OwnUsed: b.Spent(),
		CallEvery: tenths(quota.Day / time.Duration(b.Most())),
	}
	if b.Known() {
		at := b.Told.At.UTC()
		v.ToldAt = &at
	}
	if at := b.GoesOn(); !at.IsZero() {
		at = at.UTC()
		v.GoesOn = &at
	}
	return v
}

func (v *quotaView) pace(wanted, every time.Duration, calls float64) {
	v.Wanted, v.Interval, v.CallsPerLook = tenths(wanted), tenths(every), math.Round(calls*100)/100
	v.CallsPerDay = int64(math.Round(quota.Day.Seconds() / every.Seconds() * calls))
}

func tenths(d time.Duration) float64 { return math.Round(d.Seconds()*10) / 10 }

// quotaOf is how the quota of a connected integration stands; nil before its first grant.
func quotaOf(ctx context.Context, db *store.Store, i store.Integration) (*quotaView, error) {
	if i.OrgID == "" {
		return nil, nil
	}
	q, err := db.LoadQuota(ctx, i.OrgID, time.Time{})
	if err != nil {
		return nil, err
	}
	v := viewBudget(quota.BudgetOf(q))
	v.Integrations = len(quota.Demands(q, i.ID)) + 1
	for _, m := range q.Members {
		if m.IntegrationID != i.ID {
			continue
		}
		if p := m.Pace; p != nil && p.Wanted == m.PollInterval {
			v.Measured, v.Reason = true, p.Reason
			v.pace(p.Wanted, p.Paced, p.Calls)
		} else { // it has not looked yet, or not since its file changed
			v.pace(m.PollInterval, m.PollInterval, quota.DemandOf(m).Calls)
		}
	}
	return &v, nil
}

// forecast is how often the org's quota lets an integration of this file look for good.
func forecast(ctx context.Context, db *store.Store, spec config.Integration, integrationID string) (quotaView, error) {
	org, err := db.QuotaOrg(ctx, integrationID)
	if err == nil && org == "" { // another integration may know the org
		org, err = db.QuotaOrgAt(ctx, spec.Connection.InstanceURL)
	}
	if err != nil {
		return quotaView{}, err
	}
	q := store.Quota{}
	if org != "" {
		if q, err = db.LoadQuota(ctx, org, time.Time{}); err != nil {
			return quotaView{}, err
		}
	}
	mine := quota.Demand{Wanted: time.Duration(spec.PollInterval), Calls: callsPerLook(spec)}
	measured := false
	others := q
	others.Members = nil
	for _, m := range q.Members {
		if m.IntegrationID != integrationID {
			others.Members = append(others.Members, m)
		} else if m.Pace != nil && m.Pace.Calls > 0 {
			mine.Calls, measured = m.Pace.Calls, true
		}
	}
	b := quota.BudgetOf(others)
	b.Terms = spec.Quota.InForce()
	if len(others.Members) > 0 {
		b.Terms = b.Terms.Strictest(quota.BudgetOf(others).Terms)
	}
	v := viewBudget(b)
	demands := quota.Demands(others, "")
	v.Integrations, v.Measured = len(demands)+1, measured
	v.pace(mine.Wanted, b.Steady(mine, demands), mine.Calls)
	if v.Interval > v.Wanted {
		v.Reason = fmt.Sprintf("%s of the org's API requests in 24 hours", v.Share)
	}
	return v, nil
}

// callsPerLook works out from a file what one look for news costs: a question per object
// and per parent on its paths, and five questions to a call.
func callsPerLook(spec config.Integration) float64 {
	questions := 0
	for _, o := range spec.Objects {
		parents := map[string]bool{}
		climb := func(path string) {
			for i := strings.IndexByte(path, '.'); i > 0; {
				parents[strings.ToLower(path[:i])] = true
				next := strings.IndexByte(path[i+1:], '.')
				if next < 0 {
					break
				}
				i += 1 + next
			}
		}
		for _, parent := range poll.FollowedParents(o) {
			climb(parent + ".Id")
		}
		for _, path := range o.Fields {
			climb(path)
		}
		for _, p := range o.Properties {
			climb(p.Path)
		}
		questions += 1 + len(parents)
	}
	return math.Ceil(float64(max(questions, 1)) / salesforce.MaxSubqueries)
}

// printQuota says in a plan what the quota allows.
func (a *app) printQuota(v quotaView) {
	org := fmt.Sprintf("%s of the org's %s API requests", v.Share, grouped(v.OrgMax))
	if !v.OrgKnown {
		org = fmt.Sprintf("the org is not known yet; of one with %s API requests, %s", grouped(v.OrgMax), v.Share)
	}
	a.print("  quota: %s is %s in 24 hours, one call in %s; nothing is asked when less than %s are left", org, grouped(v.OwnMax), span(v.CallEvery), v.Reserve)
	if v.AppMax > 0 && v.AppMax == v.OwnMax {
		a.print("  quota: the org allows the app no more than %s", grouped(v.AppMax))
	}
	beside := ""
	if v.Integrations > 1 {
		beside = fmt.Sprintf(", shared with %d more on this org", v.Integrations-1)
	}
	how := "about"
	if v.Measured {
		how = "measured"
	}
	a.print("  looks for news every %s%s%s; idle that is %s calls a day (%s %s a look)", span(v.Interval), insteadOf(v), beside,
		grouped(v.CallsPerDay), how, strconv.FormatFloat(v.CallsPerLook, 'f', -1, 64))
}

func insteadOf(v quotaView) string {
	if v.Interval <= v.Wanted {
		return ""
	}
	return " instead of " + span(v.Wanted)
}

// quotaLine is the org's requests in status.
func quotaLine(v *quotaView) string {
	if v == nil {
		return ""
	}
	line := "what the org has is not known before the first call"
	if v.OrgKnown {
		line = fmt.Sprintf("%s of the org's %s API requests are used (%s), %s are kept for others", grouped(v.OrgUsed), grouped(v.OrgMax), when(v.ToldAt), v.Reserve)
	}
	line += fmt.Sprintf("; ours are %s of %s (%s)", grouped(v.OwnUsed), grouped(v.OwnMax), v.Share)
	if v.AppMax > 0 {
		line += fmt.Sprintf("; the app's are %s of %s", grouped(v.AppUsed), grouped(v.AppMax))
	}
	if v.GoesOn != nil {
		line += "; nothing is asked until " + when(v.GoesOn)
	}
	return line
}

// asksLine says how often Salesforce is asked, and why not as often as the file wants.
func asksLine(v statusView) string {
	q := v.Quota
	if q == nil || !v.Connected || v.Desired != store.DesiredRunning {
		return ""
	}
	line := "every " + span(q.Interval)
	if q.Interval > q.Wanted {
		line += insteadOf(*q) + ": quota, " + q.Reason
	}
	return line
}

// span writes seconds as people do: 29s, 1m34s.
func span(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d >= 10*time.Second {
		d = d.Round(time.Second)
	}
	return config.Duration(d).String()
}

// grouped writes 15000 as 15,000.
func grouped(n int64) string { return config.Grouped(n) }
