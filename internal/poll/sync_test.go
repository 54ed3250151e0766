package poll_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/simforce"
)

// mailDir is where real mails are; "" when there are none.
func mailDir(t *testing.T) (dir string, n int) {
	t.Helper()
	dir = os.Getenv("MAIL_DIR")
	if dir == "" {
		dir = "../../../shared/data/mail"
	}
	files, err := os.ReadDir(dir)
	if err != nil && os.Getenv("MAIL_DIR") != "" {
		require.NoError(t, err)
	}
	for _, f := range files {
		if len(f.Name()) > 4 && f.Name()[len(f.Name())-4:] == ".eml" {
			n++
		}
	}
	if n == 0 {
		return "", 300
	}
	return dir, n
}

func TestSyncAllMails(t *testing.T) {
	t.Parallel()
	dir, n := mailDir(t)
	b := connected(t, simforce.Options{MailDir: dir, Generate: n}, mailObject)
	counts := b.settle()
	require.EqualValues(t, n, counts.Created)
	require.EqualValues(t, n, counts.Units)
	require.EqualValues(t, n, b.units())
	require.Zero(t, counts.SetAside+counts.Stale+counts.TextChanged)
	b.same()
	t.Logf("%d mails from %q", n, dir)

	again := func(change func(*config.Object)) {
		t.Helper()
		change(&b.spec.Objects[0])
		require.Equal(t, []string{"EmailMessage"}, b.apply().Reread)
		b.check()
		counts := b.settle()
		require.GreaterOrEqual(t, counts.Rows, int64(n), "everything was read again")
		require.Equal(t, counts.Rows, counts.Unchanged)
		require.EqualValues(t, n, b.units())
	}
	again(func(o *config.Object) { o.Where = "CreatedDate > 2000-01-01T00:00:00Z" })
	again(func(o *config.Object) { o.Where = "" })
	b.same()

	m := b.records("EmailMessage")[17]
	b.update("EmailMessage", text(m, "Id"), simforce.Row{"HtmlBody": nil, "TextBody": "edited"})
	counts = b.settle()
	require.EqualValues(t, 1, counts.TextChanged)
	require.EqualValues(t, 1, counts.Units)
	require.Equal(t, "edited", b.comment(text(m, "Id")).Messages[0].Body.Text)

	// Twice in one second, the second time after the first was read.
	for _, body := range []string{"first", "second"} {
		b.update("EmailMessage", text(m, "Id"), simforce.Row{"HtmlBody": nil, "TextBody": body})
		b.sync()
	}
	b.settle()
	require.Equal(t, "second", b.comment(text(m, "Id")).Messages[0].Body.Text)
	require.EqualValues(t, n+3, b.units())

	b.update("Case", text(m, "ParentId"), simforce.Row{"Priority": "Low"})
	b.settle()
	b.clock.add(time.Hour)
	b.update("Case", text(m, "ParentId"), simforce.Row{"Priority": "Critical"})
	counts = b.settle()
	require.Positive(t, counts.MetadataChanged)
	require.Zero(t, counts.Units)
	require.Equal(t, "Critical", b.comment(text(m, "Id")).Properties["string:Case Priority"])
	require.EqualValues(t, n+3, b.units())
	b.same()
}

// Writes between the reads, in the same second or not, while batches are read or not.
func TestSyncBesideRandomWrites(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("TEST_SEED"); text != "" {
		_, err := fmt.Sscan(text, &seed)
		require.NoError(t, err)
	}
	t.Logf("TEST_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	b := connected(t, simforce.Options{Generate: 60, Seed: seed}, mailObject)
	b.svc.BatchBytes = 20_000
	b.settle()
	write := func() {
		switch rng.IntN(12) {
		case 0:
			rows := b.records("EmailMessage")
			if m := rows[rng.IntN(len(rows))]; m["IsDeleted"] != true {
				require.NoError(t, b.sim.DeleteRecord("", text(m, "Id"), false))
			}
		case 1:
			rows := b.records("EmailMessage")
			m := rows[rng.IntN(len(rows))]
			parent, err := b.sim.Record("", text(m, "ParentId"))
			if m["IsDeleted"] == true && err == nil && parent["IsDeleted"] != true {
				require.NoError(t, b.sim.UndeleteRecord("", text(m, "Id")))
			}
		case 2:
			rows := b.records("EmailMessage")
			if m := rows[rng.IntN(len(rows))]; m["IsDeleted"] != true {
				b.update("EmailMessage", text(m, "Id"), simforce.Row{"ParentId": text(rows[rng.IntN(len(rows))], "ParentId")})
			}
		default:
			b.sim.WriteNow(1 + rng.IntN(3))
		}
	}
	b.orgs.during(func(int, string) {
		if rng.IntN(2) == 0 {
			write()
		}
		b.clock.add(time.Duration(rng.IntN(1500)) * time.Millisecond)
	})
	for range 60 {
		for range rng.IntN(3) {
			write()
		}
		b.sync()
		if rng.IntN(4) == 0 {
			b.seed.Exec(`update rechecks set not_before = now()`)
		}
		b.clock.add(time.Duration(rng.IntN(900)) * time.Millisecond)
	}
	b.orgs.during(nil)
	b.settle()
	b.same()
	require.Equal(t, []string{"0"}, b.seed.Strings(`select count(*)::text from rechecks`))
	require.Equal(t, b.seed.Strings(`select count(*)::text from revisions`), b.seed.Strings(`select count(*)::text from ledger`))
	before := b.units()
	b.spec.Objects[0].Where = "CreatedDate > 2000-01-01T00:00:00Z"
	b.apply()
	b.check()
	counts := b.settle()
	require.Equal(t, counts.Rows, counts.Unchanged, "%+v", counts)
	require.Equal(t, before, b.units())
}
