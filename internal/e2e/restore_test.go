package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
)

// restorePoint is the moment that TestRestoreToAPointInTime goes back to.
const restorePoint = "before the accident"

// TestRestoreToAPointInTime loses the database, restores a base backup and the archived WAL up to a named point, and
// goes on: what Salesforce wrote since is read again, whatever became of it in between; the restored bill owes each text
// once; followers of changes are told; a token that was replaced since asks for a new grant. Then Temporal is lost, too.
func TestRestoreToAPointInTime(t *testing.T) {
	t.Parallel()
	archive, err := os.MkdirTemp("", "salesforcesync-wal-") // t.TempDir is closed to the server, which may be another user
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(archive) })
	require.NoError(t, os.Chmod(archive, 0o777))
	s := newStackWith(t, simforce.Options{Generate: 40, Seed: 9}, func(s *stack) {
		s.settings = []string{"archive_mode=on", "archive_command=test ! -f " + archive + "/%f && cp %p " + archive + "/%f"}
	})
	ledger := &ledger{s: s}
	s.apply("prod", strings.Replace(file(s, ""), "poll_interval: 2s", "poll_interval: 1s", 1))
	s.apply("spare", strings.NewReplacer("integration: salesforce-prod", "integration: spare", "source: salesforce-emails", "source: spare").Replace(file(s, "")))
	s.connect(name, simforce.SyncUser)
	s.equal(source)
	units := len(s.expected(nil))
	ledger.is(units)
	mails := s.mailIDs()

	base := s.baseBackup()

	// What is in the archive only: a new mail, a text, a delete, and a delete that is taken back.
	s.create("Written after the base backup")
	s.text(mails[0], "Changed after the base backup")
	require.NoError(t, s.sim.DeleteRecord("", mails[1], false))
	require.NoError(t, s.sim.DeleteRecord("", mails[2], false))
	s.equal(source)
	require.NoError(t, s.sim.UndeleteRecord("", mails[2]))
	s.equal(source)
	units += 2
	ledger.is(units)
	_, err = s.follow("")
	require.NoError(t, err)
	var complete, restored *time.Time
	wal := s.restorePoint(&complete)
	before := s.expected(nil)

	// What will be lost: texts, deletes, undeletes, a bill, and the only refresh token that works.
	lost := s.create("Written after the point, and deleted again")
	s.create("Written after the point")
	s.text(mails[0], "Changed once more after the point")
	s.text(mails[3], "Changed after the point")
	require.NoError(t, s.sim.DeleteRecord("", mails[4], false))
	require.NoError(t, s.sim.UndeleteRecord("", mails[1]))
	s.equal(source)
	place, err := s.follow("")
	require.NoError(t, err)
	require.NoError(t, s.sim.DeleteRecord("", lost, false))
	s.equal(source)
	ledger.is(units + 4)
	var generation int
	s.sql(&generation, `select generation from connections where state = 'granted'`)
	require.NoError(t, s.sim.SetKnobs(func(k *simforce.Knobs) { k.Rotation, k.SessionTTLSeconds = "on", 1 }))
	s.eventually("the token is replaced", func() error {
		var now int
		if s.sql(&now, `select generation from connections where state = 'granted'`); now == generation {
			return errors.New("not yet")
		}
		return nil
	})
	s.starter("delete", "support/spare", "--yes")
	var switched string
	s.sql(&switched, `select pg_switch_wal()::text`)
	s.eventually("the WAL is archived", func() error {
		_, err := os.Stat(filepath.Join(archive, wal))
		return err
	})

	// The accident.
	require.NoError(t, s.pg.Kill())
	s.text(mails[5], "Changed while there was no database")
	require.NoError(t, s.worker.Stop())
	require.NoError(t, s.authsvc.Stop())
	s.restore(base, archive)

	// Nothing of later is there, and the database does not claim what it does not have.
	ledger.is(units)
	s.sql(&restored, `select verified_to from streams where lane = 'live' and seq > 0`)
	require.Equal(t, complete, restored, `"complete to" is what it was`)

	s.startAuthsvc()
	s.startWorker()
	s.state(flow.StateAwaitingAuthorization)
	status := s.starter("status", name)
	require.Contains(t, status, "no longer accepts the grant")
	require.Contains(t, status, "starter connect "+name)
	require.Contains(t, s.connect(name, simforce.SyncUser), "configured successfully")
	s.equal(source)
	// The restored bill owes what differs from the texts at that point, however often it changed since and whatever
	// the lost bill had of it; a mail that came and went costs nothing, and so does one that is undeleted.
	owed := 0
	for id, text := range s.expected(nil) {
		if before[id] != text && id != hexOf(mails[1]) {
			owed++
		}
	}
	require.Equal(t, 4, owed)
	units += owed
	ledger.is(units)

	_, err = s.follow(place)
	require.ErrorContains(t, err, "409")
	require.ErrorContains(t, err, "the database was restored")
	_, err = s.follow("")
	require.NoError(t, err)

	// Temporal knows the workflow that went on, not the one that ended after the point.
	started := s.starter("start", "--all")
	require.Contains(t, started, "support/salesforce-prod\tsignalled\n")
	require.Contains(t, started, "support/spare\tstarted\n")

	// Temporal is lost: nothing is, that counts.
	require.NoError(t, s.temporal.Kill())
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(filepath.Join(s.dir, "temporal.db"+suffix)) // a journal need not be there
	}
	require.NoError(t, s.temporal.Restart(t.Context()))
	s.starter("setup")
	started = s.starter("start", "--all")
	require.Equal(t, 2, strings.Count(started, "\tstarted\n"), started)
	s.age()
	s.create("Written after Temporal was lost")
	s.equal(source)
	units++
	ledger.is(units)

	// Moved to another server by a dump, whose transactions have other numbers: followers are refused until setup has run.
	require.NoError(t, s.worker.Stop())
	require.NoError(t, s.authsvc.Stop())
	s.move()
	s.startAuthsvc()
	_, err = s.follow("")
	require.ErrorContains(t, err, "give request id")
	s.eventually("the operator is told", func() error {
		if said := s.authsvc.Tail(25); !strings.Contains(said, "the database was restored from a dump") {
			return errors.New(said)
		}
		return nil
	})
	_, talk, code := s.tryStarter("setup")
	require.Zero(t, code, talk)
	require.Regexp(t, `the last changes of \d+ comments were numbered anew`, talk)
	s.startWorker()
	s.starter("start", "--all")
	s.create("Written on another server")
	s.equal(source)
	ledger.is(units + 1)
	_, err = s.follow("")
	require.NoError(t, err)
}

// restorePoint names this moment, and says in which file of the WAL it is and how far the source is complete then:
// the worker, which looks every second, must not get further in between.
func (s *stack) restorePoint(complete **time.Time) (wal string) {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.pg.URL())
	require.NoError(s.t, err)
	defer conn.Close(s.t.Context())
	require.NoError(s.t, pgx.BeginFunc(s.t.Context(), conn, func(tx pgx.Tx) error {
		err := tx.QueryRow(s.t.Context(), `select verified_to from streams where lane = 'live' and seq > 0 for update`).Scan(complete)
		if err != nil {
			return err
		}
		return tx.QueryRow(s.t.Context(), `select pg_walfile_name(pg_create_restore_point($1))`, restorePoint).Scan(&wal)
	}))
	return wal
}

// age lets the server number many transactions, more than a new one needs to load a dump: what is written next has a
// number there that no transaction has reached, as with any server that was in use.
func (s *stack) age() {
	s.t.Helper()
	var before, after uint64
	s.sql(&before, `select pg_current_xact_id()::text::bigint`)
	s.psql(`do $$ begin for n in 1..10000 loop perform pg_current_xact_id(); commit; end loop; end $$`)
	s.sql(&after, `select pg_current_xact_id()::text::bigint`)
	require.GreaterOrEqual(s.t, after, before+10_000)
}

// psql runs a script of psql's in the product's database.
func (s *stack) psql(script string) {
	s.t.Helper()
	_, err := s.pg.Psql(s.t.Context(), "", script)
	require.NoError(s.t, err)
}

// move puts a dump of the database into a new server, which takes the place of the other one.
func (s *stack) move() {
	s.t.Helper()
	dump := s.dump()
	require.NoError(s.t, s.pg.Stop())
	pg, err := devstack.StartPostgres(s.t.Context(), devstack.PostgresOptions{Database: "e2e"})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = pg.Remove() })
	s.pg = pg
	s.psql(`\i ` + s.write("dump.sql", dump))
	s.setVariable("DATABASE_URL", pg.URL())
}

func (s *stack) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	require.NoError(s.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// mailIDs lists the Ids of the mails that are comments.
func (s *stack) mailIDs() (ids []string) {
	for _, m := range s.rows("EmailMessage") {
		if m["IsDeleted"] != true && m["Status"] != "5" && m["IsPrivateDraft"] != true {
			ids = append(ids, m["Id"].(string))
		}
	}
	return ids
}

func (s *stack) text(id, text string) {
	s.t.Helper()
	s.update("EmailMessage", simforce.Row{"Id": id}, simforce.Row{"HtmlBody": nil, "TextBody": text})
}

// create writes a mail and gives its Id.
func (s *stack) create(text string) string {
	s.t.Helper()
	row, err := s.sim.CreateRecord("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": "New mail", "TextBody": text, "FromAddress": "a@example.com",
		"ToAddress": "b@example.com", "Incoming": true, "Status": "0", "MessageDate": time.Now().UTC().Truncate(time.Second)}})
	require.NoError(s.t, err)
	return row["Id"].(string)
}

// follow reads what changed behind a place to its end, and gives the place there.
func (s *stack) follow(after string) (string, error) {
	for {
		var page struct {
			Changes []json.RawMessage
			After   string
			More    bool
		}
		if err := s.get("/api/v1/sources/"+source+"/changes?limit=256&after="+url.QueryEscape(after), &page); err != nil {
			return "", err
		}
		if after = page.After; !page.More {
			return after, nil
		}
	}
}

// baseBackup takes one the way docs/backup.md has it, and gives its folder.
func (s *stack) baseBackup() string {
	s.t.Helper()
	env, err := s.pg.ClientEnvironment("")
	require.NoError(s.t, err)
	dir := filepath.Join(s.dir, "base")
	program, err := s.pg.Install().Program("pg_basebackup")
	require.NoError(s.t, err)
	cmd := exec.CommandContext(s.t.Context(), program, "--pgdata", dir, "--checkpoint", "fast", "--wal-method", "stream")
	cmd.Env = env
	var said bytes.Buffer
	cmd.Stderr = &said
	require.NoError(s.t, cmd.Run(), said.String())
	return dir
}

// restore puts the base backup in the place of the data that is lost, and lets the server go on from the restore point.
func (s *stack) restore(base, archive string) {
	s.t.Helper()
	data := s.pg.DataDir()
	info, err := os.Stat(data)
	require.NoError(s.t, err)
	owner := info.Sys().(*syscall.Stat_t)
	require.NoError(s.t, os.RemoveAll(data))
	out, err := exec.CommandContext(s.t.Context(), "cp", "-a", base, data).CombinedOutput()
	require.NoError(s.t, err, "%s", out)
	settings := fmt.Sprintf("restore_command = 'cp %s/%%f %%p'\nrecovery_target_name = '%s'\nrecovery_target_action = 'promote'\n", archive, restorePoint)
	file, err := os.OpenFile(filepath.Join(data, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(s.t, err)
	_, err = file.WriteString(settings)
	require.NoError(s.t, err)
	require.NoError(s.t, file.Close())
	require.NoError(s.t, os.WriteFile(filepath.Join(data, "recovery.signal"), nil, 0o600))
	if os.Getuid() == 0 {
		require.NoError(s.t, filepath.WalkDir(data, func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(path, int(owner.Uid), int(owner.Gid)))
		}))
	}
	require.NoError(s.t, s.pg.Restart(s.t.Context()))
	s.eventually("PostgreSQL has recovered", func() error {
		var recovering bool
		if s.sql(&recovering, `select pg_is_in_recovery()`); recovering {
			return errors.New("not yet")
		}
		return nil
	})
}
