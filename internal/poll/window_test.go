package poll_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/simforce"
)

func (b *bench) limit(l simforce.QueryLimits) {
	b.Helper()
	l.Objects = []string{"EmailMessage"}
	require.NoError(b, b.sim.SetKnobs(func(k *simforce.Knobs) { k.QueryLimits = l }))
}

// load writes n mails of one second, as a bulk load does.
func (b *bench) load(n int, at time.Time) {
	b.Helper()
	_, err := b.sim.CreateRecords("EmailMessage", n, simforce.Write{Stamp: at, Fields: simforce.Row{
		"Subject": "mail {n}", "TextBody": "text {n}", "FromAddress": "ann@example.com", "Incoming": true}})
	require.NoError(b, err)
}

func TestPollGoesOnInSmallerWindows(t *testing.T) {
	t.Parallel()
	for name, limits := range map[string]simforce.QueryLimits{
		"time-outs above an hour":            {TimeoutSeconds: 3600},
		"too large above a day":              {TooLargeSeconds: 86400},
		"time-outs above 30 rows":            {TimeoutRows: 30},
		"too large above 700 rows":           {TooLargeRows: 700},
		"time-outs above 2 rows and 10 days": {TimeoutRows: 2, TooLargeSeconds: 10 * 86400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connected(t, simforce.Options{Generate: 60}, mailObject)
			n := 400
			if limits.TimeoutRows == 2 {
				n = 20
			}
			b.load(n, longAgo)
			b.load(n, longAgo.Add(time.Second))
			b.limit(limits)
			counts := b.drain(b.next("EmailMessage"))
			require.EqualValues(t, 2*n+60, counts.Created)
			b.same()
			require.Positive(t, b.sim.Counters().Refused["query"])
			b.limit(simforce.QueryLimits{})
			require.Zero(t, b.settle().Units)
			b.same()
		})
	}
}

func TestPollReadsASecondOfTenThousandRowsThatTimesOut(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	b.load(10_000, longAgo)
	b.limit(simforce.QueryLimits{TimeoutRows: 1500})
	counts := b.drain(b.next("EmailMessage"))
	require.EqualValues(t, 10_030, counts.Created)
	b.same()
	counters := b.sim.Counters()
	t.Logf("%d queries, %d refused", counters.Kinds["query"], counters.Refused["query"])
	require.Less(t, counters.Kinds["query"], 400)
	b.limit(simforce.QueryLimits{})
	require.Zero(t, b.settle().Units)
}

func TestPollAsksApartWhenTheOrIsTooMuch(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, mailObject)
	b.load(450, longAgo)
	b.load(3, longAgo.Add(time.Hour))
	require.NoError(t, b.sim.FailNext(simforce.Fault{Class: "query_timeout", Contains: " OR ", Times: 1000}))
	b.orgs.during(nil)
	counts := b.drain(b.next("EmailMessage"))
	require.EqualValues(t, 453, counts.Created)
	or := 0
	for _, q := range b.orgs.asked() {
		if strings.Contains(q, " OR ") {
			or++
		}
	}
	require.Equal(t, 1, or, "it is not tried again and again")
	require.Zero(t, b.drain(b.next("EmailMessage")).Units)
	b.same()
}

// Where the look back over an empty stretch is too much, the cursor comes to rest near
// the present, so that Watch's next question is a small one.
func TestCursorFollowsWhereNothingIsToRead(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, mailObject)
	b.load(5, longAgo)
	b.settle()
	b.clock.add(240 * time.Hour)
	b.create("EmailMessage", simforce.Write{Stamp: b.clock.now().Add(-time.Hour), Fields: simforce.Row{"Subject": "draft", "Status": "5"}})
	b.limit(simforce.QueryLimits{TimeoutSeconds: 7200})
	b.drain(b.next("EmailMessage"))
	require.WithinDuration(t, b.clock.now(), b.object("EmailMessage").Hi.Stamp, 20*time.Minute)
	id := b.create("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": "new", "TextBody": "new", "FromAddress": "a@b.example"}})
	b.settle()
	require.Equal(t, "new", b.comment(id).Messages[0].Body.Text)
}

func TestPollSaysWhenEvenOneRecordIsTooMuch(t *testing.T) {
	t.Parallel()
	for class, c := range map[string]struct {
		kind fault.Kind
		hint string
	}{
		"query_timeout":       {fault.Transient, "formula fields"},
		"operation_too_large": {fault.Permission, "View All on EmailMessage"},
	} {
		t.Run(class, func(t *testing.T) {
			t.Parallel()
			b := connected(t, simforce.Options{}, mailObject)
			b.load(30, longAgo)
			require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.PageMax = 10 }))
			b.orgs.during(func(_ int, q string) { // after the first page everything fails
				if strings.Contains(q, "FROM EmailMessage ") && len(b.sim.Faults()) == 0 {
					require.NoError(t, b.sim.FailNext(simforce.Fault{Class: class, Contains: "FROM EmailMessage ", Times: 10_000}))
				}
			})
			ref := b.next("EmailMessage")
			polled, err := b.svc.Poll(t.Context(), ref)
			require.NoError(t, err)
			require.True(t, polled.More)
			require.EqualValues(t, 10, polled.Rows, "what was read is kept")
			ref = b.finish(ref).Next
			_, err = b.svc.Poll(t.Context(), ref)
			require.Equal(t, c.kind, fault.KindOf(err), "%v", err)
			require.ErrorContains(t, err, "EmailMessage")
			require.Contains(t, fault.HintOf(err), c.hint)
			require.Less(t, b.sim.Counters().Kinds["query"], 200)

			b.orgs.during(nil)
			b.sim.ClearFaults()
			require.EqualValues(t, 20, b.drain(ref).Created)
			b.same()
		})
	}
}

// Of an object that is too much as a whole nothing is asked as a whole: not by the check before the first
// load, and not to find out how much there is.
func TestWhatIsTooMuchAsAWholeIsSynced(t *testing.T) {
	t.Parallel()
	for name, limits := range map[string]simforce.QueryLimits{
		"too large":          {TooLargeSeconds: 3600},
		"too large for rows": {TooLargeRows: 40},
		"time-outs":          {TimeoutSeconds: 3600},
	} {
		for _, bulk := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, bulk %v", name, bulk), func(t *testing.T) {
				t.Parallel()
				b := start(t, simforce.Options{Generate: 60}, mailObject)
				b.grant()
				b.limit(limits)
				b.check()
				if bulk {
					b.svc.BulkFrom, b.svc.PartRows, b.svc.StepFor, b.svc.PagesAtOnce = 50, 30, time.Nanosecond, 3
					b.begin("EmailMessage")
					b.svc = &poll.Service{Store: b.db, Orgs: b.orgs, Listener: b.svc.Listener, BulkFrom: 50, PartRows: 30, StepFor: time.Nanosecond, PagesAtOnce: 3} // another process
					_, outcome := b.flood("EmailMessage", nil)
					require.Equal(t, flow.OutcomeDone, outcome)
				}
				b.settle()
				b.same()
				require.EqualValues(t, 60, b.units())
				require.Positive(t, b.sim.Counters().Refused["query"])
			})
		}
	}
}

// A check is refused by chance, and the next question is not.
func TestCheckIsRefusedInPassing(t *testing.T) {
	t.Parallel()
	b := start(t, simforce.Options{}, surveyObject, mailObject)
	b.grant()
	require.NoError(t, b.sim.FailNext(simforce.Fault{Class: "operation_too_large", Contains: "FROM Survey_Response__c"}))
	b.check()
	require.NoError(t, b.sim.FailNext(simforce.Fault{Class: "operation_too_large", Contains: "FROM Survey_Response__c", Times: 2}))
	checked := b.checked()
	require.Contains(t, checked["Survey_Response__c"].Problem, "OPERATION_TOO_LARGE")
	require.Contains(t, checked["Survey_Response__c"].Hint, "View All")
	require.Empty(t, checked["EmailMessage"].Problem)
}

// Records read by Id, and children of parents, have no window: then there are fewer of them.
func TestPollAsksForFewerAtOnce(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 60}, mailObject)
	b.settle()
	for _, m := range b.records("EmailMessage")[:40] {
		b.update("Case", text(m, "ParentId"), simforce.Row{"Priority": "Critical"})
	}
	b.clock.add(time.Minute)
	for _, list := range []string{" Id IN (", " ParentId IN ("} {
		require.NoError(t, b.sim.FailNext(simforce.Fault{Class: "query_timeout", Contains: list, Times: 2}))
	}
	b.settle()
	require.Empty(t, b.sim.Faults(), "they were given")
	b.same()
	require.EqualValues(t, 60, b.units())
}
