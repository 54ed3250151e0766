package workflows_test

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"salesforcesync/internal/flow"
)

// What history an integration writes that has nothing to do: a watch goes on for ten minutes, so six
// of them in an hour may be worth 150 events. make bench-idle counts them on a real server.
func (s *IntegrationSuite) TestIdleWritesLittleHistory() {
	const watches, anHour, most = 100, 6, 150
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n > watches {
			return deleted()
		}
		return quiet()
	}
	activities, timers := 0, 0
	s.env.SetOnActivityStartedListener(func(*activity.Info, context.Context, converter.EncodedValues) { activities++ })
	s.env.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
	s.Require().NoError(s.run())
	s.Require().Greater(activities, watches)
	// Scheduled, started and completed; started and fired; and a task of the workflow behind each.
	events := 3*activities + 2*timers + 3*(activities+timers)
	s.T().Logf("measured: an integration with nothing to do writes %d events of history an hour", events*anHour/watches)
	s.LessOrEqual(events*anHour/watches, most)
}
