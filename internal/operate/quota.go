package operate

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/quota"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

// QuotaStore is where an org's API requests are counted; *store.Store is one.
type QuotaStore interface {
	QuotaOrg(ctx context.Context, integrationID string) (string, error)
	QuotaOrgAt(ctx context.Context, instanceURL string) (string, error)
	LoadQuota(ctx context.Context, orgID string, at time.Time) (store.Quota, error)
}

// QuotaView is an org's API requests and an integration's part in them, in JSON: a
// contract with scripts.
type QuotaView struct {
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

func viewBudget(b quota.Budget) QuotaView {
	v := QuotaView{
		OrgKnown: b.Known(), OrgMax: b.Max(), OrgUsed: b.Told.Used, AppMax: b.Told.AppMax, AppUsed: b.Told.AppUsed,
		Share: b.Terms.Share.String(), Reserve: b.Terms.Reserve.String(), OwnMax: b.Most(), OwnUsed: b.Spent(),
		CallEvery: Tenths(quota.Day / time.Duration(b.Most())),
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

func (v *QuotaView) pace(s quota.Standing) {
	v.Integrations, v.Measured, v.Reason = s.Integrations, s.Measured, s.Reason
	v.Wanted, v.Interval, v.CallsPerLook, v.CallsPerDay = Tenths(s.Wanted), Tenths(s.Every), math.Round(s.Calls*100)/100, s.CallsPerDay()
}

// Tenths is a duration in seconds as JSON has it.
func Tenths(d time.Duration) float64 { return math.Round(d.Seconds()*10) / 10 }

// QuotaOf is how the quota of a connected integration stands; nil before its first grant.
func QuotaOf(ctx context.Context, db QuotaStore, i store.Integration) (*QuotaView, error) {
	if i.OrgID == "" {
		return nil, nil
	}
	q, err := db.LoadQuota(ctx, i.OrgID, time.Time{})
	if err != nil {
		return nil, err
	}
	standing := quota.StandingOf(q, i.ID)
	v := viewBudget(standing.Budget)
	v.pace(standing)
	return &v, nil
}

// Forecast is how often the org's quota lets an integration of this file look for good.
func Forecast(ctx context.Context, db QuotaStore, spec config.Integration, integrationID string) (QuotaView, error) {
	org, err := db.QuotaOrg(ctx, integrationID)
	if err == nil && org == "" { // another integration may know the org
		org, err = db.QuotaOrgAt(ctx, spec.Connection.InstanceURL)
	}
	if err != nil {
		return QuotaView{}, err
	}
	q := store.Quota{}
	if org != "" {
		if q, err = db.LoadQuota(ctx, org, time.Time{}); err != nil {
			return QuotaView{}, err
		}
	}
	mine := quota.Demand{Wanted: time.Duration(spec.PollInterval), Calls: CallsPerLook(spec)}
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
	v.pace(quota.Standing{Integrations: len(demands) + 1, Wanted: mine.Wanted, Every: b.Steady(mine, demands), Calls: mine.Calls, Measured: measured})
	if v.Interval > v.Wanted {
		v.Reason = fmt.Sprintf("%s of the org's API requests in 24 hours", v.Share)
	}
	return v, nil
}

// CallsPerLook works out from a file what one look for news costs: a question per object
// and per parent on its paths, and five questions to a call.
func CallsPerLook(spec config.Integration) float64 {
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

// Forecast is how often the org's quota lets an integration of this file look for good.
func (h *Hand) Forecast(ctx context.Context, spec config.Integration, integrationID string) (QuotaView, error) {
	return Forecast(ctx, h.Store, spec, integrationID)
}
