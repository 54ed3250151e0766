package quota

import (
	"math"
	"time"

	"salesforcesync/internal/store"
)

// Standing is how an integration stands with its org's requests, for people.
type Standing struct {
	Budget
	Integrations int           // that share the org's requests, this one included
	Wanted       time.Duration // between two looks for news, by the integration's file
	Every        time.Duration // what the quota allows
	Reason       string        // why Every is longer; "" when it is not
	Calls        float64       // of one look, on average
	Measured     bool          // Calls was measured, and not worked out from the file
}

// StandingOf is how the integration of this id stands, going by its looks so far.
func StandingOf(q store.Quota, integrationID string) Standing {
	s := Standing{Budget: BudgetOf(q), Integrations: len(Demands(q, integrationID)) + 1}
	for _, m := range q.Members {
		if m.IntegrationID != integrationID {
			continue
		}
		if p := m.Pace; p != nil && p.Wanted == m.PollInterval {
			s.Wanted, s.Every, s.Reason, s.Calls, s.Measured = p.Wanted, p.Paced, p.Reason, p.Calls, true
		} else { // it has not looked yet, or not since its file changed
			s.Wanted, s.Every, s.Calls = m.PollInterval, m.PollInterval, DemandOf(m).Calls
		}
	}
	return s
}

// CallsPerDay is how many calls looking for news comes to in a day without any.
func (s Standing) CallsPerDay() int64 {
	if s.Every <= 0 {
		return 0
	}
	return int64(math.Round(Day.Seconds() / s.Every.Seconds() * s.Calls))
}
