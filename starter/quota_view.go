package main

import (
	"fmt"
	"strconv"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
)

// printQuota says in a plan what the quota allows.
func (a *app) printQuota(v operate.QuotaView) {
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

func insteadOf(v operate.QuotaView) string {
	if v.Interval <= v.Wanted {
		return ""
	}
	return " instead of " + span(v.Wanted)
}

// quotaLine is the org's requests in status.
func quotaLine(v *operate.QuotaView) string {
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
