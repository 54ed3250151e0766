package simtime_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store/simtime"
	"salesforcesync/internal/store/storetest"
)

func TestTimeStandsUntilItIsSet(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := storetest.ServerURL(t)
	db, err := simtime.New(ctx, server, storetest.Keys(t))
	require.NoError(t, err)
	noon := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	require.NoError(t, db.Set(ctx, noon))
	_, err = db.ApplyIntegration(ctx, config.Integration{Project: "support", Integration: "prod", Source: "mail",
		Connection: config.Connection{InstanceURL: "https://acme.my.salesforce.com", ConsumerKey: "key", ConsumerSecret: "secret"}})
	require.NoError(t, err)
	target, err := db.LoadTarget(ctx, "support", "prod")
	require.NoError(t, err)
	require.True(t, target.ReadAt.Equal(noon), target.ReadAt)

	noon = noon.Add(26 * time.Hour)
	require.NoError(t, db.Set(ctx, noon))
	target, err = db.LoadTarget(ctx, "support", "prod")
	require.NoError(t, err)
	require.True(t, target.ReadAt.Equal(noon), target.ReadAt)

	conn, err := pgx.Connect(ctx, server)
	require.NoError(t, err)
	defer conn.Close(ctx)
	count := func() (n int) {
		require.NoError(t, conn.QueryRow(ctx, `select count(*) from pg_database where datname = $1`, db.Name()).Scan(&n))
		return n
	}
	require.Equal(t, 1, count())
	require.NoError(t, db.Close())
	require.Zero(t, count(), "nothing is left")
}

func TestAWrongServerIsSaid(t *testing.T) {
	t.Parallel()
	_, err := simtime.New(t.Context(), "", storetest.Keys(t))
	require.True(t, fault.Is(err, fault.Invalid), err)
	_, err = simtime.New(t.Context(), "postgres://nobody@127.0.0.1:1/none", storetest.Keys(t))
	require.True(t, fault.Is(err, fault.Unreachable), err)
}
