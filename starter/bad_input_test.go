package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// What an operator can do wrong, done to the programs as they are shipped.

// programs are built once for all tests of this package.
var programs struct {
	once sync.Once
	dir  string
	err  error
}

func program(t *testing.T, name string) string {
	t.Helper()
	programs.once.Do(func() {
		if programs.dir, programs.err = os.MkdirTemp("", "salesforcesync-programs-"); programs.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", programs.dir+"/", "./worker", "./authsvc", "./starter")
		cmd.Dir = ".."
		if out, err := cmd.CombinedOutput(); err != nil {
			programs.err = fmt.Errorf("build the programs: %w\n%s", err, out)
		}
	})
	require.NoError(t, programs.err)
	return filepath.Join(programs.dir, name)
}

// installation is a database with an integration in it, and an environment that fits.
type installation struct {
	t    *testing.T
	db   *store.Store
	seed *storetest.Seed
	env  map[string]string
	dir  string
}

func install(t *testing.T) *installation {
	t.Helper()
	db, seed := storetest.NewSeed(t)
	i := &installation{t: t, db: db, seed: seed, dir: t.TempDir()}
	i.env = map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": i.dir,
		"DATABASE_URL":       seed.URL(),
		"ENCRYPTION_KEYS":    keys("test", 0),
		"PUBLIC_URL":         "http://127.0.0.1:8080",
		"LISTEN_ADDR":        "127.0.0.1:0",
		"METRICS_ADDR":       "127.0.0.1:0",
		"TEMPORAL_ADDRESS":   "127.0.0.1:1", // nobody
		"SF_CONSUMER_SECRET": "hunter2",
	}
	r := i.run(run{stdin: mailYAML, args: []string{"starter", "apply", "-f", "-", "--no-start"}})
	require.Zero(t, r.code, r.stderr)
	return i
}

// keys is a ring of one key whose bytes are all fill.
func keys(id string, fill byte) string {
	return id + ":" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32))
}

// grant connects the integration as a Salesforce administrator would.
func (i *installation) grant() {
	i.t.Helper()
	found, err := i.db.IntegrationByName(i.t.Context(), "support", "salesforce-prod")
	require.NoError(i.t, err)
	require.NoError(i.t, i.db.SaveGrant(i.t.Context(), store.SalesforceGrant{
		IntegrationID: found.ID, OrgID: "00D000000000001EAA", UserID: "005000000000001AAA", Username: "sync@acme.example",
		InstanceURL: "https://acme.my.salesforce.com", Access: "00Dxx!access", Refresh: "5Aep.refresh",
	}))
}

// run is one command line.
type run struct {
	args  []string // the program first
	stdin string
	with  map[string]string // differs from the installation's environment; "" = not set
}

type outcome struct {
	code           int
	stdout, stderr string
}

func (i *installation) run(r run) outcome {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(i.t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(i.t, r.args[0]), r.args[1:]...)
	cmd.Dir = i.dir
	cmd.Stdin = strings.NewReader(r.stdin)
	for name, value := range i.env {
		if other, differs := r.with[name]; differs {
			value = other
		}
		if value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	for name, value := range r.with {
		if _, known := i.env[name]; !known {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the exit code says it; killed when it does not end
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// rows is everything in the database: each table with its rows and their digest.
func (i *installation) rows() []string {
	i.t.Helper()
	return i.seed.Strings(`
		select table_name || ' ' || (xpath('/row/c/text()', query_to_xml(format(
			'select count(*) || '' '' || coalesce(md5(string_agg(t::text, '','' order by t::text)), '''') as c from %I t', table_name), false, true, '')))[1]::text
		from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by table_name`)
}

// refused runs a command that must be refused: it says what is wrong and the next step
// on stderr, nothing on stdout, and changes nothing.
func (i *installation) refused(code int, r run, says ...string) {
	i.t.Helper()
	before := i.rows()
	got := i.run(r)
	require.Equal(i.t, code, got.code, "%v: %s%s", r.args, got.stdout, got.stderr)
	require.Empty(i.t, got.stdout, "%v", r.args)
	for _, s := range says {
		require.Contains(i.t, got.stderr, s, "%v", r.args)
	}
	require.NotContains(i.t, got.stderr, "goroutine ", "%v", r.args)
	require.NotContains(i.t, got.stderr, "hunter2", "%v", r.args)
	require.Equal(i.t, before, i.rows(), "%v changed something", r.args)
}

func TestBadFilesChangeNothing(t *testing.T) {
	t.Parallel()
	i := install(t)
	second := strings.NewReplacer("integration: salesforce-prod", "integration: second", "source: salesforce-emails", "source: second-emails").Replace(mailYAML)
	for _, c := range []struct {
		old, new string
		says     []string
	}{
		{"objects:", "objects: [", []string{"stdin: not YAML: line"}},
		{mailYAML, "", []string{"stdin"}},
		{mailYAML, "just words", []string{"stdin"}},
		{mailYAML, "a: &a [*a]", []string{"stdin"}},
		{mailYAML, "\xff\xfe\x00", []string{"stdin"}},
		{"source:", "sorce:", []string{"line 3", `unknown key "sorce"`, `did you mean "source"?`}},
		{"preset: email", "preset: email\n    colour: red", []string{"line 11", `unknown key "colour"`}},
		{"Incoming = true", "Incoming ==", []string{"line 11", "where"}},
		{"Incoming = true", "Incoming = true; DELETE", []string{"line 11", "where"}},
		{"object: EmailMessage", "object: Email Message", []string{"line 9", "object"}},
		{"Parent.CaseNumber", "Parent..CaseNumber", []string{"line 13", "Case Number"}},
		{"project: support", "project: sup/port", []string{"line 1", "project"}},
		{"acme.my.salesforce.com", "evil.example", []string{"line 5", "evil.example is not a host of Salesforce"}},
		{"SF_CONSUMER_SECRET", "NOT_SET", []string{"line 7", "NOT_SET is not set"}},
		{"objects:", "poll_interval: 1ms\nobjects:", []string{"poll_interval", "1s"}},
	} {
		for _, command := range []string{"apply", "plan"} {
			for _, file := range []string{mailYAML, second} { // one that is there, one that is new
				changed := strings.Replace(file, c.old, c.new, 1)
				if c.old == mailYAML {
					changed = c.new
				}
				i.refused(exitInput, run{args: []string{"starter", command, "-f", "-"}, stdin: changed}, append(c.says, "starter: ")...)
			}
		}
	}
	i.refused(exitInput, run{args: []string{"starter", "apply", "-f", "nowhere.yaml"}}, "nowhere.yaml")
	i.refused(exitInput, run{args: []string{"starter", "apply", "-f", "."}}, "read the integration file")
	i.refused(exitInput, run{args: []string{"starter", "apply"}}, "no file is named", "next: ", "-f integration.yaml")
}

func TestBadKeyRings(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.grant()
	for value, says := range map[string]string{
		"test:AAAA":                             "has 3 bytes, want 32",
		"test:!!!":                              "is not standard base64",
		keys("test", 0) + "," + keys("test", 1): "appears twice",
		keys("a b", 0):                          "the id must be",
		keys("test", 0) + ",AAAA":               "has no id",
	} {
		for _, name := range []string{"worker", "authsvc"} {
			i.refused(exitInput, run{args: []string{name}, with: map[string]string{"ENCRYPTION_KEYS": value}}, "ENCRYPTION_KEYS", says)
		}
		i.refused(exitInput, run{args: []string{"starter", "list"}, with: map[string]string{"ENCRYPTION_KEYS": value}}, "ENCRYPTION_KEYS", says)
	}
	for _, name := range []string{"worker", "authsvc"} {
		i.refused(exitInput, run{args: []string{name}, with: map[string]string{"ENCRYPTION_KEYS": ""}}, "ENCRYPTION_KEYS: is not set (or ENCRYPTION_KEYS_FILE)")
		i.refused(exitInput, run{args: []string{name}, with: map[string]string{"ENCRYPTION_KEYS": "", "ENCRYPTION_KEYS_FILE": "/nowhere/keys"}}, "ENCRYPTION_KEYS_FILE: ", "/nowhere/keys")
		i.refused(exitInput, run{args: []string{name}, with: map[string]string{"ENCRYPTION_KEYS_FILE": "/nowhere/keys"}}, "both ENCRYPTION_KEYS and ENCRYPTION_KEYS_FILE are set")
	}
	i.refused(exitInput, run{args: []string{"starter", "apply", "-f", "-", "--no-start"}, stdin: mailYAML, with: map[string]string{"ENCRYPTION_KEYS": ""}},
		"ENCRYPTION_KEYS: is not set", "next: set the key ring that worker and authsvc use")
	i.refused(exitInput, run{args: []string{"starter", "disconnect", "support/salesforce-prod"}, with: map[string]string{"ENCRYPTION_KEYS": ""}}, "ENCRYPTION_KEYS: is not set")

	// Rings of good form that cannot open what is kept.
	other := map[string]string{"TEMPORAL_ADDRESS": temporalAddress(t), "ENCRYPTION_KEYS": keys("test", 1)}
	removed := map[string]string{"TEMPORAL_ADDRESS": temporalAddress(t), "ENCRYPTION_KEYS": keys("next", 1)}
	disconnect := []string{"starter", "disconnect", "support/salesforce-prod"}
	i.refused(exitInput, run{args: disconnect, with: other}, "does not open with ENCRYPTION_KEYS", "next: ", "another key under the same id")
	i.refused(exitInput, run{args: disconnect, with: removed}, "ENCRYPTION_KEYS does not hold the key", `key id "test"`, "next: add the missing key to the ring")
	// What needs no secret works with any ring.
	for _, with := range []map[string]string{other, removed} {
		require.Zero(t, i.run(run{args: []string{"starter", "list"}, with: with}).code)
	}
	// Delete is the way out when a key is lost for good; it says what it could not do.
	r := i.run(run{args: []string{"starter", "delete", "support/salesforce-prod", "--yes"}, with: removed})
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stderr, "the access could not be given back: ENCRYPTION_KEYS does not hold the key")
	r = i.run(run{args: []string{"starter", "apply", "-f", "-", "--no-start"}, stdin: mailYAML, with: removed})
	require.Zero(t, r.code, r.stderr)
}

func TestOtherSchemas(t *testing.T) {
	t.Parallel()
	i := install(t)
	version, err := store.SchemaVersion()
	require.NoError(t, err)
	empty := storetest.Empty(t)
	commands := [][]string{{"worker"}, {"authsvc"}, {"starter", "list"}, {"starter", "status"}, {"starter", "connect", "support/salesforce-prod"},
		{"starter", "token", "create", "--email", "a@b.example", "--name", "x"}, {"starter", "apply", "-f", "-", "--no-start"}, {"starter", "plan", "-f", "-"}}
	// Temporal is good, so that only the schema can be what is wrong.
	for _, c := range commands {
		i.refused(exitInput, run{args: c, stdin: mailYAML, with: map[string]string{"DATABASE_URL": empty, "TEMPORAL_ADDRESS": temporalAddress(t)}},
			fmt.Sprintf("the database has schema version 0, this program needs version %d", version), "run `starter setup`")
	}
	i.seed.Exec(`insert into schema_migrations (version, name) values ($1, 'of_tomorrow')`, version+1)
	for _, c := range append(commands, []string{"starter", "setup"}) {
		i.refused(exitInput, run{args: c, stdin: mailYAML, with: map[string]string{"TEMPORAL_ADDRESS": temporalAddress(t)}},
			fmt.Sprintf("schema version %d, this program needs version %d", version+1, version), "newer release")
	}
	// Going back to the release before: its setup is run again, and has nothing to do.
	i.seed.Exec(`update schema_migrations set runs_with = $1 where version > $1`, version)
	r := i.run(run{args: []string{"starter", "setup"}, with: map[string]string{"TEMPORAL_ADDRESS": temporalAddress(t)}})
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stderr, fmt.Sprintf("schema version %d of a newer release; this one, of version %d, goes on with it", version+1, version))
	i.seed.Exec(`delete from schema_migrations where version >= $1`, version)
	for _, c := range commands {
		i.refused(exitInput, run{args: c, stdin: mailYAML, with: map[string]string{"TEMPORAL_ADDRESS": temporalAddress(t)}},
			fmt.Sprintf("schema version %d, this program needs version %d", version-1, version), "run `starter setup`")
	}
}

func TestServersAway(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.grant()
	nobody := map[string]string{"DATABASE_URL": "postgres://me:hunter2@127.0.0.1:1/none?sslmode=disable"}
	for _, c := range [][]string{{"starter", "list"}, {"starter", "setup"}, {"starter", "apply", "-f", "-"}, {"starter", "connect", "a/b"}} {
		t.Run("PostgreSQL "+strings.Join(c, " "), func(t *testing.T) {
			t.Parallel()
			own := *i
			own.t = t
			own.refused(exitUnreachable, run{args: c, stdin: mailYAML, with: nobody}, "PostgreSQL at 127.0.0.1:1 does not answer", "next", "check DATABASE_URL")
		})
	}
	for _, c := range [][]string{{"starter", "apply", "-f", "-"}, {"starter", "start", "support/salesforce-prod"}, {"starter", "delete", "support/salesforce-prod", "--yes"}} {
		t.Run("Temporal "+strings.Join(c, " "), func(t *testing.T) {
			t.Parallel()
			own := *i
			own.t = t
			own.refused(exitUnreachable, run{args: c, stdin: strings.Replace(mailYAML, "Incoming = true", "Incoming = false", 1)},
				"Temporal at 127.0.0.1:1 does not answer", "next", "check TEMPORAL_ADDRESS")
		})
	}
	t.Run("setup", func(t *testing.T) { // the database is migrated first; running it again does the rest
		t.Parallel()
		own := *i
		own.t = t
		r := own.run(run{args: []string{"starter", "setup"}})
		require.Equal(t, exitUnreachable, r.code, r.stderr)
		require.Contains(t, r.stderr, "check TEMPORAL_ADDRESS")
		require.Empty(t, r.stdout)
	})
	t.Run("other addresses", func(t *testing.T) {
		t.Parallel()
		own := *i
		own.t = t
		u, err := url.Parse(own.env["DATABASE_URL"])
		require.NoError(t, err)
		u.Path = "/nowhere"
		own.refused(exitUnreachable, run{args: []string{"starter", "list"}, with: map[string]string{"DATABASE_URL": u.String()}}, "PostgreSQL at ", `database "nowhere" does not exist`, "next")
		own.refused(exitInput, run{args: []string{"starter", "list"}, with: map[string]string{"DATABASE_URL": "mysql://root:hunter2@db/x"}}, "DATABASE_URL", "postgres://")
		own.refused(exitInput, run{args: []string{"starter", "list"}, with: map[string]string{"DATABASE_URL": "postgres://me:hunter2@db:port/x"}}, "DATABASE_URL", "postgres://")
	})
	t.Run("no such namespace", func(t *testing.T) {
		t.Parallel()
		own := *i
		own.t = t
		with := map[string]string{"TEMPORAL_ADDRESS": temporalAddress(t), "TEMPORAL_NAMESPACE": "nowhere-" + store.NewID()}
		own.refused(exitInput, run{args: []string{"worker"}, with: with}, with["TEMPORAL_NAMESPACE"], "TEMPORAL_NAMESPACE", "temporal operator namespace create")
		own.refused(exitInput, run{args: []string{"starter", "apply", "-f", "-"}, stdin: strings.Replace(mailYAML, "Incoming = true", "Incoming = false", 1), with: with}, "TEMPORAL_NAMESPACE", "temporal operator namespace create")
	})
}

// The servers wait a minute for what they need, then give up; authsvc does without Temporal.
func TestServersGiveUp(t *testing.T) {
	t.Parallel()
	i := install(t)
	nobody := map[string]string{"DATABASE_URL": "postgres://me:hunter2@127.0.0.1:1/none?sslmode=disable"}
	runs := []run{{args: []string{"worker"}, with: nobody}, {args: []string{"authsvc"}, with: nobody}, {args: []string{"worker"}}}
	says := []string{"PostgreSQL at 127.0.0.1:1 does not answer", "PostgreSQL at 127.0.0.1:1 does not answer", "Temporal at 127.0.0.1:1 does not answer"}
	next := []string{"next step: check DATABASE_URL", "next step: check DATABASE_URL", "next step: check TEMPORAL_ADDRESS"}
	before := i.rows()
	got := make([]outcome, len(runs))
	program(t, "worker") // built by this goroutine, which may fail the test
	var all sync.WaitGroup
	for n, r := range runs { // at once: each takes its minute
		all.Go(func() { got[n] = i.run(r) })
	}
	all.Wait()
	for n, r := range runs {
		require.Equal(t, exitUnreachable, got[n].code, "%v: %s", r.args, got[n].stderr)
		require.Empty(t, got[n].stdout)
		require.Contains(t, got[n].stderr, says[n])
		require.Contains(t, got[n].stderr, next[n])
		require.NotContains(t, got[n].stderr, "hunter2")
	}
	require.Equal(t, before, i.rows())
}

func TestTakenPorts(t *testing.T) {
	t.Parallel()
	i := install(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	temporal := newBench(t).withTemporal()
	for _, c := range []struct{ program, variable string }{{"authsvc", "LISTEN_ADDR"}, {"authsvc", "METRICS_ADDR"}, {"worker", "METRICS_ADDR"}} {
		i.refused(exitInput, run{args: []string{c.program}, with: map[string]string{c.variable: taken.Addr().String(),
			"TEMPORAL_ADDRESS": temporal.env["TEMPORAL_ADDRESS"], "TEMPORAL_NAMESPACE": temporal.env["TEMPORAL_NAMESPACE"]}},
			c.variable+"="+taken.Addr().String()+" is taken by another program", "next step: stop the other program, or set "+c.variable)
	}
	for _, c := range []struct{ program, variable, value string }{
		{"authsvc", "LISTEN_ADDR", "8080"}, {"authsvc", "LISTEN_ADDR", "localhost:99999"}, {"worker", "METRICS_ADDR", "x"}, {"authsvc", "PUBLIC_URL", "sync.acme.example"},
	} {
		i.refused(exitInput, run{args: []string{c.program}, with: map[string]string{c.variable: c.value}}, c.variable)
	}
}

func TestUnexpectedArguments(t *testing.T) {
	t.Parallel()
	i := install(t)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"worker", "start"}, "worker takes no arguments"}, {[]string{"authsvc", "-v"}, "authsvc takes no arguments"}, {[]string{"worker", ""}, "worker takes no arguments"},
		{[]string{"starter", "aply"}, "unknown command"}, {[]string{"starter", "list", "a", "b"}, "next: "}, {[]string{"starter", "setup", "now"}, "next: "},
		{[]string{"starter", "connect"}, "takes one PROJECT/INTEGRATION"}, {[]string{"starter", "connect", "a/b", "c/d"}, "takes one PROJECT/INTEGRATION"},
		{[]string{"starter", "connect", "a/b/c"}, "is not PROJECT/INTEGRATION"}, {[]string{"starter", "connect", "support/nowhere"}, "there is no integration support/nowhere"},
		{[]string{"starter", "--fast"}, "unknown flag"}, {[]string{"starter", "token", "create", "--expires", "soon"}, "soon"},
	} {
		i.refused(exitInput, run{args: c.args}, c.says, "next")
	}
}

func TestHelpOfEveryProgram(t *testing.T) {
	t.Parallel()
	i := &installation{t: t, dir: t.TempDir()} // nothing is set
	for _, args := range [][]string{{"worker", "--help"}, {"worker", "-h"}, {"authsvc", "--help"}, {"starter", "--help"}, {"starter"}, {"starter", "help"}} {
		r := i.run(run{args: args})
		require.Zero(t, r.code, args)
		require.Empty(t, r.stderr, args)
		for _, s := range []string{args[0], "DATABASE_URL", "starter setup"} {
			require.Contains(t, r.stdout, s, args)
		}
	}
	for _, c := range append(commands, "token create", "token list", "token revoke", "help apply") {
		args := append([]string{"starter"}, strings.Fields(c)...)
		if args[1] != "help" {
			args = append(args, "--help")
		}
		r := i.run(run{args: args})
		require.Zero(t, r.code, args)
		require.Empty(t, r.stderr, args)
		require.Contains(t, r.stdout, "Usage:\n  starter ", args)
		example := "\n  starter " + strings.TrimPrefix(c, "help ")
		require.GreaterOrEqual(t, strings.Count(r.stdout, example), 1, "%v teaches by an example", args)
	}
	require.Contains(t, i.run(run{args: []string{"starter", "connect", "--help"}}).stdout, "PUBLIC_URL/external/salesforce/oauth2/callback")
}
