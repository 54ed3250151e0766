package salesforce_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/simforce"
)

func TestTogetherAsksQuestionsOfAllKindsInOneCall(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 20})
	now := time.Now().UTC()
	first, err := s.Together(t.Context(), []salesforce.Ask{salesforce.AskDescribe{Object: "Case"}})
	require.NoError(t, err)
	require.True(t, first[0].Modified)
	s.sim.ResetCounters()

	answers, err := s.Together(t.Context(), []salesforce.Ask{
		salesforce.AskUpdated{Object: "EmailMessage", From: now.Add(-29 * 24 * time.Hour), To: now},
		salesforce.Subquery{SOQL: "SELECT COUNT() FROM EmailMessage", QueryOptions: salesforce.QueryOptions{All: true}},
		salesforce.Subquery{SOQL: "SELECT Nothing FROM EmailMessage"},
		salesforce.AskDeleted{Object: "EmailMessage", From: now.Add(-time.Hour), To: now},
		salesforce.AskDescribe{Object: "Case", Since: first[0].Object.LastModified},
		salesforce.AskDescribe{Object: "Nothing__c"},
	})
	require.NoError(t, err)
	require.Equal(t, map[string]int{"composite": 1}, s.kinds(), "one API request")
	require.NoError(t, answers[0].Err)
	require.NotEmpty(t, answers[0].Updated.IDs)
	require.False(t, answers[0].Updated.Covered.IsZero())
	require.Equal(t, 20, answers[1].Page.TotalSize)
	require.Equal(t, fault.Config, fault.KindOf(answers[2].Err))
	require.NoError(t, answers[3].Err)
	require.Empty(t, answers[3].Deleted.Records)
	require.False(t, answers[4].Modified, "304")
	require.NoError(t, answers[4].Err)
	require.Equal(t, fault.NotFound, fault.KindOf(answers[5].Err))
	for _, a := range answers {
		require.WithinDuration(t, now, a.ServerTime, time.Minute)
	}
}

func TestTogetherTakesAsFewCallsAsTheLimitsAllow(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 5})
	var asks []salesforce.Ask
	for range 7 {
		asks = append(asks, salesforce.Subquery{SOQL: "SELECT COUNT() FROM EmailMessage"})
	}
	for range 30 {
		asks = append(asks, salesforce.AskDescribe{Object: "Case"})
	}
	s.sim.ResetCounters()
	answers, err := s.Together(t.Context(), asks)
	require.NoError(t, err)
	require.Len(t, answers, 37)
	require.Equal(t, map[string]int{"composite": 3}, s.kinds(), "5 queries; 2 queries and 23 others; the rest")
}
