package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// holdComments keeps everybody from reading comments until the returned function is called.
func holdComments(t *testing.T, url string) (release func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `lock table comments in access exclusive mode`)
	require.NoError(t, err)
	return func() { require.NoError(t, tx.Rollback(t.Context())) }
}

func TestABusyPoolIsNoDatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	_, seed := storetest.NewSeed(t)
	db, err := store.Open(t.Context(), seed.URL(), store.Options{ApplicationName: "busy", MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	release := holdComments(t, seed.URL())
	var all sync.WaitGroup
	now := time.Now()
	for range 2 {
		all.Go(func() {
			if _, err := db.CountComments(t.Context(), "", &now, nil); err != nil {
				t.Errorf("count: %v", err)
			}
		})
	}
	require.Eventually(t, func() bool {
		return seed.Strings(`select count(*)::text from pg_stat_activity where application_name like 'busy %' and wait_event_type = 'Lock'`)[0] == "2"
	}, time.Minute, 10*time.Millisecond, "the pool is all in use")
	require.NoError(t, db.Ping(t.Context()))
	require.NoError(t, db.CheckSchema(t.Context()))
	release()
	all.Wait()
}

func TestStatementsEnd(t *testing.T) {
	t.Parallel()
	_, url := storetest.NewURL(t)
	db, err := store.Open(t.Context(), url, store.Options{StatementTimeout: time.Second})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	release := holdComments(t, url)
	now := time.Now()
	_, err = db.CountComments(t.Context(), "", &now, nil)
	requireKind(t, fault.Unreachable, err)
	require.ErrorContains(t, err, "statement timeout")
	release()
	_, err = db.CountComments(t.Context(), "", &now, nil)
	require.NoError(t, err)
}

func TestTextThatCannotBeStoredIsInvalid(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	for _, text := range []string{"\x00", "\xff", "a\xc3"} {
		_, err := db.UserByEmail(t.Context(), text)
		requireKind(t, fault.Invalid, err)
	}
}
