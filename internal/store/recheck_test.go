package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

func TestUnsettledRowsAreReadAgain(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.clock = at(100)
	l.apply(
		mail{id: idA, stamp: at(100), raw: "in the second of the read"},
		mail{id: idB, stamp: at(99), raw: "in the second before"},
		mail{id: idC, stamp: at(98), raw: "two seconds before: settled"})
	require.Equal(t, []string{idA + " unsettled", idB + " unsettled"}, l.rechecks())
	due, err := l.db.DueRechecks(t.Context(), l.id, l.ref.Object, 10)
	require.NoError(t, err)
	require.Empty(t, due, "not before the second is over")
}

func TestUnsettledDeletesAndSetAsidesAreReadAgain(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.clock = at(0)
	l.apply(mail{id: idA, stamp: at(0), raw: "one", deleted: true}, mail{id: idB, stamp: at(0), raw: "two", reason: "bad"})
	require.Equal(t, []string{idA + " unsettled", idB + " unsettled"}, l.rechecks())
}

func TestRecheckIsAnsweredByALaterReadOnly(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.apply(mail{id: idA, stamp: at(0), raw: "one"}, mail{id: idB, stamp: at(0), raw: "two"})
	begun := l.begin()
	require.NoError(t, l.db.AddRechecks(t.Context(), l.id, l.ref.Object, "parent", []string{idA}))
	l.seal(begun, 1, idA)
	require.NoError(t, l.stage(l.ref, 1, mail{id: idA, stamp: at(0), raw: "one"}))
	l.upsert(l.ref)
	l.ref.Seq++
	require.Equal(t, []string{idA + " parent due"}, l.rechecks(), "that read may have come too early")

	require.NoError(t, l.db.AddRechecks(t.Context(), l.id, l.ref.Object, "late", []string{idB}))
	l.seal(l.begin(), 1, idA)
	require.NoError(t, l.stage(l.ref, 1, mail{id: idA, stamp: at(0), raw: "one"}))
	l.upsert(l.ref)
	l.ref.Seq++
	require.Equal(t, []string{idB + " late due"}, l.rechecks(), "an Id that was not asked for by name is not answered")

	// Reading a row without asking for it by name does not answer either.
	l.apply(mail{id: idB, stamp: at(0), raw: "two"})
	require.Equal(t, []string{idB + " late due"}, l.rechecks())
}

func TestRecheckThatIsStillUnsettledWaitsAgain(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	require.NoError(t, l.db.AddRechecks(t.Context(), l.id, l.ref.Object, "parent", []string{idA}))
	l.clock = at(10)
	l.seal(l.begin(), 1, idA)
	require.NoError(t, l.stage(l.ref, 1, mail{id: idA, stamp: at(10), raw: "one"}))
	l.upsert(l.ref)
	require.Equal(t, []string{idA + " unsettled"}, l.rechecks(), "it must not be due at once, or a record that keeps changing is read without a pause")
}

func idsOf(due []store.Recheck) []string {
	var ids []string
	for _, d := range due {
		ids = append(ids, d.ID)
	}
	return ids
}

func TestDueRechecks(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	require.NoError(t, l.db.AddRechecks(ctx, l.id, l.ref.Object, "late", []string{idC, idA, idC}))
	require.NoError(t, l.db.AddRechecks(ctx, l.id, l.ref.Object, "parent", []string{idA, idB}))
	require.NoError(t, l.db.AddRechecks(ctx, l.id, l.ref.Object, "late", nil))
	due, err := l.db.DueRechecks(ctx, l.id, l.ref.Object, 2)
	require.NoError(t, err)
	require.Len(t, due, 2)
	require.Equal(t, idC, due[0].ID, "who was asked for first is first: what is asked for again and again must not keep others waiting")
	l.seed.Exec(`update rechecks set not_before = now() + interval '1 hour' where record_id = $1`, idB)
	due, err = l.db.DueRechecks(ctx, l.id, l.ref.Object, 10)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{idA, idC}, idsOf(due))
	other, err := l.db.DueRechecks(ctx, l.id, "Case", 10)
	require.NoError(t, err)
	require.Empty(t, other)
	target, err := l.db.LoadTarget(ctx, "support", "salesforce-prod")
	require.NoError(t, err)
	require.True(t, target.Objects[0].DueRechecks)

	// Asking again for what waits makes it due.
	require.NoError(t, l.db.AddRechecks(ctx, l.id, l.ref.Object, "late", []string{idB}))
	due, err = l.db.DueRechecks(ctx, l.id, l.ref.Object, 10)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{idA, idB, idC}, idsOf(due))
}

func TestFollowDependency(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	d := store.Dependency{Path: "Parent", Parent: "Case", Hi: store.Position{Stamp: at(0), ID: ""}}
	require.NoError(t, l.db.SaveCheck(ctx, l.id, store.Check{SpecVersion: 1, Begun: time.Now(), Objects: []store.CheckedObject{{Name: l.ref.Object, Plan: []byte(`{}`), Dependencies: []store.Dependency{d}}}}))
	hi := store.Position{Stamp: at(60), ID: idC}
	require.NoError(t, l.db.FollowDependency(ctx, l.ref, l.id, d, hi, nil))
	target, err := l.db.LoadTarget(ctx, "support", "salesforce-prod")
	require.NoError(t, err)
	require.Len(t, target.Objects[0].Dependencies, 1)
	require.True(t, hi.Stamp.Equal(target.Objects[0].Dependencies[0].Hi.Stamp))
	require.Equal(t, hi.ID, target.Objects[0].Dependencies[0].Hi.ID)
	hi = store.Position{Stamp: at(120), ID: idC}
	require.NoError(t, l.db.FollowDependency(ctx, l.ref, l.id, d, hi, nil))
	require.Equal(t, at(120).Format(time.RFC3339), l.one(`select to_char(hi_stamp at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') from dependencies`))
}

func TestFollowDependencyIsFenced(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	d := store.Dependency{Path: "Parent", Parent: "Case", Hi: store.Position{Stamp: at(0), ID: ""}}
	hi := store.Position{Stamp: at(60), ID: idC}
	requireKind(t, fault.Fenced, l.db.FollowDependency(t.Context(), l.ref, l.id, d, hi, nil))
	// Another epoch.
	require.NoError(t, l.db.SaveCheck(t.Context(), l.id, store.Check{SpecVersion: 1, Begun: time.Now(), Objects: []store.CheckedObject{{Name: l.ref.Object, Plan: []byte(`{}`), Dependencies: []store.Dependency{d}}}}))
	l.seed.Exec(`update streams set epoch = epoch + 1`)
	requireKind(t, fault.Fenced, l.db.FollowDependency(t.Context(), l.ref, l.id, d, hi, nil))
	require.Equal(t, "", l.one(`select hi_id from dependencies`))
}

// A batch answers what was noted before its reading began, also when it noted that itself.
func TestRenumberedBatchAnswersWhatItNoted(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.apply(mail{id: idA, stamp: at(0), raw: "one"})
	b := l.begin()
	require.NoError(t, l.db.AddRechecks(t.Context(), l.id, l.ref.Object, "parent", []string{idA}))
	before := b.ReadBegin
	require.NoError(t, l.db.RenumberBatch(t.Context(), b))
	require.Greater(t, b.ReadBegin, before)
	l.seal(b, 1, idA)
	require.NoError(t, l.stage(l.ref, 1, mail{id: idA, stamp: at(0), raw: "one"}))
	l.upsert(l.ref)
	require.Empty(t, l.rechecks())

	l.ref.Seq++
	given := l.begin()
	_ = l.begin() // another attempt
	requireKind(t, fault.Fenced, l.db.RenumberBatch(t.Context(), given))
}
