package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/meter"
)

// mailQuery is what everybody reads: the fields that preset email asks for, and the stamps.
const mailQuery = "SELECT Id, IsDeleted, SystemModstamp, CreatedDate, MessageDate, Subject, TextBody, HtmlBody, FromAddress, FromName, " +
	"ToAddress, CcAddress, BccAddress, ParentId, ThreadIdentifier, Incoming, Status, IsPrivateDraft, " +
	"Parent.CaseNumber, Parent.Status, Parent.Priority, Parent.Origin " +
	"FROM EmailMessage WHERE Status != '5' AND IsPrivateDraft = false"

// serverSettings are those of PostgreSQL for all rows alike: what an operator would set who has read
// a page on large loads. Nothing of it weakens what a commit promises.
var serverSettings = []string{
	"fsync=on", "synchronous_commit=on", "full_page_writes=on",
	"shared_buffers=512MB", "max_wal_size=4GB", "checkpoint_timeout=15min", "work_mem=32MB",
}

const (
	consumerKey     = "3MVG9simforce.bench"
	integrationUser = "sync@acme.example"  // who grants access to the product
	otherUser       = "admin@acme.example" // whose session the other rows use
	adminEmail      = "admin@example.com"
)

// ground is what all rows stand on.
type ground struct {
	options
	tools   *devstack.Tools
	server  string // the temporal program; "" = what tools find
	out     io.Writer
	begun   time.Time
	folder  string // of everything that is thrown away
	bin     string // our programs
	pg      *devstack.Postgres
	sim     *devstack.Process
	simURL  string
	secret  string // of the consumer
	public  string // where authsvc is
	workers string // folder of the worker, below bin; "" = bin itself
	meter   *meter.Meter
	lz4     bool

	total   int    // mails, as Salesforce counts them
	csv     string // file with all of them
	csvSize int64

	installs int  // of the product, so far
	shape    bool // there is a database "shape": the product's, without rows
	finished bool // there are files with the finished rows
	running  []*devstack.Process
}

// Who is measured, besides the bench itself and its clients.
const (
	ofWorker    = "worker"
	ofPostgres  = "PostgreSQL"
	ofSimulator = "simulator"
	ofTemporal  = "Temporal"
	ofAuthsvc   = "authsvc"
)

// row is one line of the table.
type row struct {
	once       bool // one run is enough: it takes minutes
	key, title string
	// run does it once and gives what it measured, by key; a row without it is given by another.
	run func(g *ground, ctx context.Context, give func(key string, r result)) error
}

// rows are all lines, in the order of the table. A row that needs something of another
// stands behind it.
var rows = []row{
	{key: "ours", title: "**ours, first load**", run: (*ground).ours},
	{key: "again", title: "**ours, second pass, unchanged**"},
	{key: "drain", title: "ceiling: drain and throw away", run: (*ground).drain},
	{key: "pglz", title: "`COPY` of the raw CSV, pglz", run: copyRaw("pglz")},
	{key: "lz4", title: "`COPY` of the raw CSV, lz4", run: copyRaw("lz4")},
	{key: "finished", title: "`COPY` of our finished rows", run: (*ground).copyFinished},
	{key: "jsforce", title: "jsforce to a CSV file (one run)", once: true, run: (*ground).jsforce},
	{key: "curl", title: "curl, `\\copy`, `ON CONFLICT`", run: (*ground).curl},
	{key: "curl-again", title: "curl, `\\copy`, `ON CONFLICT`, unchanged"},
}

func rowKeys() []string {
	var keys []string
	for _, r := range rows {
		if r.run != nil {
			keys = append(keys, r.key)
		}
	}
	return keys
}

// bench does it all. temporal is that program; "" = what tools find.
func bench(ctx context.Context, tools *devstack.Tools, temporal string, o options, out io.Writer) (err error) {
	g := &ground{options: o, tools: tools, server: temporal, out: out, begun: time.Now(), meter: &meter.Meter{PIDs: map[string]int{}}}
	tools.Say = g.say
	var clear func() error
	if g.folder, clear, err = tools.Scratch(o.dir, "bench"); err != nil {
		return err
	}
	defer func() {
		g.stopAll()
		if g.pg != nil {
			err = errors.Join(err, g.pg.Remove())
		}
		err = errors.Join(err, clear())
	}()
	if err := g.prepare(ctx); err != nil {
		return err
	}
	if len(o.crossing) > 0 {
		return g.crossing(ctx)
	}
	return g.table(ctx)
}

func (g *ground) say(format string, args ...any) {
	fmt.Fprintf(g.out, "%6.1fs  %s\n", time.Since(g.begun).Seconds(), fmt.Sprintf(format, args...))
}

// wants reports whether a row is to be done.
func (g *ground) wants(key string) bool { return len(g.only) == 0 || slices.Contains(g.only, key) }

// prepare brings up what all rows share.
func (g *ground) prepare(ctx context.Context) error {
	g.say("building the programs")
	g.bin = filepath.Join(g.folder, "bin")
	if err := g.build(ctx, nil, "./worker", "./starter", "./authsvc", "./internal/cmd/simforce"); err != nil {
		return err
	}
	if g.profile != "" {
		if err := g.buildProfiled(ctx); err != nil {
			return err
		}
	}
	if err := g.startPostgres(ctx); err != nil {
		return err
	}
	if len(g.options.crossing) > 0 {
		return nil // sizes of its own
	}
	if err := g.startSimulator(ctx, g.rows); err != nil {
		return err
	}
	return g.readCSV(ctx)
}

// build builds programs into bin; more are arguments of `go build`.
func (g *ground) build(ctx context.Context, more []string, packages ...string) error {
	args := append([]string{"build", "-buildvcs=false", "-o", g.bin + string(filepath.Separator)}, more...)
	cmd := exec.CommandContext(ctx, "go", append(args, packages...)...)
	cmd.Dir = g.tools.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (g *ground) startPostgres(ctx context.Context) error {
	dir := filepath.Join(g.folder, "postgres")
	install, err := g.tools.PostgresFor(ctx, dir)
	if err != nil {
		return err
	}
	settings := slices.Clone(serverSettings)
	if g.profile != "" {
		settings = append(settings, "shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track=all", "track_io_timing=on")
	}
	g.pg, err = devstack.StartPostgres(ctx, devstack.PostgresOptions{Install: install, Dir: dir, Durable: true, Settings: settings})
	if err != nil {
		return err
	}
	g.meter.PIDs[ofPostgres] = g.pg.Process().PID()
	out, err := g.sql(ctx, "", "select 'lz4' = any(enumvals) from pg_settings where name = 'default_toast_compression'")
	if err != nil {
		return err
	}
	g.lz4 = out == "t"
	return nil
}

// startSimulator starts a Salesforce with n mails.
func (g *ground) startSimulator(ctx context.Context, n int) error {
	port, err := devstack.FreePort()
	if err != nil {
		return err
	}
	web, err := devstack.FreePort()
	if err != nil {
		return err
	}
	host := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	g.simURL, g.public = "http://"+host, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(web))
	g.secret = filepath.Join(g.folder, "consumer-secret")
	if err := os.WriteFile(g.secret, []byte("bench-consumer-secret\n"), 0o600); err != nil {
		return err
	}
	g.say("starting the Salesforce simulator with %s mails", grouped(int64(n)))
	g.sim, err = g.start(ctx, "simforce", nil, g.simURL+"/services/data",
		"-addr", host, "-generate", "1", "-big", strconv.Itoa(n), "-consumer-key", consumerKey, "-consumer-secret-file", g.secret,
		"-callback", g.public+"/external/salesforce/oauth2/callback", "-daily-requests", "100000000")
	if err != nil {
		return err
	}
	g.meter.PIDs[ofSimulator] = g.sim.PID()
	g.total, err = g.countMails(ctx)
	return err
}

// stopSimulator ends it; another one may be started.
func (g *ground) stopSimulator() error {
	delete(g.meter.PIDs, ofSimulator)
	return g.sim.Stop()
}

// start starts one of our programs and waits until an address answers.
func (g *ground) start(ctx context.Context, name string, env []string, readyURL string, args ...string) (*devstack.Process, error) {
	log, err := os.OpenFile(filepath.Join(g.folder, filepath.Base(name)+".log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	p, err := devstack.StartProcess(devstack.ProcessOptions{
		Name: name, Path: filepath.Join(g.bin, name), Args: args, Env: append(devstack.BareEnvironment(), env...), Log: log,
		StopTimeout: 35 * time.Second, // longer than the 30 s in which a program ends its work in hand
	})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	g.running = append(g.running, p)
	limit := time.Now().Add(3 * time.Minute)
	for {
		err := callJSON(ctx, http.MethodGet, readyURL, "", nil, nil)
		if err == nil {
			return p, nil
		}
		select {
		case <-p.Done():
			return nil, p.Ended()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(limit) {
			return nil, fault.Wrap(fault.Unreachable, err, "%s is not ready; its last words:\n%s", name, p.Tail(15))
		}
	}
}

// stopAll ends what was started, last started first.
func (g *ground) stopAll() {
	for _, p := range slices.Backward(g.running) {
		if err := p.Stop(); err != nil {
			g.say("%v", err)
		}
	}
	g.running = nil
}

func (g *ground) databaseURL(database string) string {
	u, err := url.Parse(g.pg.URL())
	if err != nil || database == "" {
		return g.pg.URL()
	}
	u.Path = "/" + database
	return u.String()
}

// sql runs commands of psql on a database of our server ("" = the first one).
func (g *ground) sql(ctx context.Context, database string, commands ...string) (string, error) {
	return g.pg.Psql(ctx, database, commands...)
}

// calm puts everything that was written onto the disk, so that no row pays for the one before.
func (g *ground) calm(ctx context.Context) error {
	if _, err := g.sql(ctx, "", "checkpoint"); err != nil {
		return err
	}
	return exec.CommandContext(ctx, "sync").Run()
}

// measured runs do between two readings of the meter.
func (g *ground) measured(ctx context.Context, do func() error) (result, error) {
	if err := g.calm(ctx); err != nil {
		return result{}, err
	}
	before, begun := g.meter.Read(), time.Now()
	if err := do(); err != nil {
		return result{}, err
	}
	wall := time.Since(begun)
	r := result{wall: wall, rows: g.total, bytes: g.csvSize, used: g.meter.Read().Since(before)}
	if f := r.used.Foreign(); f > 0.1*wall.Seconds() {
		r.notes = append(r.notes, fmt.Sprintf("disturbed: programs that do not belong here used %.1f CPU s meanwhile", f))
	}
	return r, nil
}

// table runs all rows, several times, and prints them.
func (g *ground) table(ctx context.Context) error {
	results := map[string][]result{}
	var mu sync.Mutex
	for n := range g.runs {
		for _, r := range rows {
			if r.run == nil || !g.wants(r.key) || r.once && n > 0 {
				continue
			}
			g.say("run %d of %d: %s", n+1, g.runs, r.key)
			err := r.run(g, ctx, func(key string, r result) {
				mu.Lock()
				defer mu.Unlock()
				results[key] = append(results[key], r)
				g.say("  %s: %.1f s", key, r.seconds())
			})
			if err != nil {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				return fmt.Errorf("row %s: %w", r.key, err)
			}
		}
	}
	g.print(ctx, results)
	return nil
}

// print prints the table, the ratios and what there is to say besides.
func (g *ground) print(ctx context.Context, results map[string][]result) {
	version, _ := g.sql(ctx, "", "show server_version")
	fmt.Fprintf(g.out, "\n%s mails, %.0f MB of CSV; %d processors, %s/%s; PostgreSQL %s on this machine with %s; medians of %d.\n\n",
		grouped(int64(g.total)), float64(g.csvSize)/1e6, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH,
		version, strings.Join(serverSettings, ", "), g.runs)
	var lines [][]string
	for _, r := range rows {
		if len(results[r.key]) > 0 {
			lines = append(lines, line(r.title, results[r.key]))
		}
	}
	printTable(g.out, resultHead, lines)
	fmt.Fprintln(g.out)
	ratio := func(what, a, b string) {
		if len(results[a]) > 0 && len(results[b]) > 0 {
			fmt.Fprintf(g.out, "%s: %.2f\n", what, middle(results[a]).seconds()/middle(results[b]).seconds())
		}
	}
	ratio("ours / COPY of the raw CSV with pglz", "ours", "pglz")
	ratio("ours / COPY of the raw CSV with lz4", "ours", "lz4")
	ratio("ours / curl, \\copy, ON CONFLICT", "ours", "curl")
	ratio("curl's unchanged pass / ours", "curl-again", "again")
	for _, r := range rows {
		for i, one := range results[r.key] {
			for _, note := range one.notes {
				fmt.Fprintf(g.out, "%s, run %d: %s\n", r.key, i+1, note)
			}
		}
	}
	if !g.lz4 {
		fmt.Fprintln(g.out, "This build of PostgreSQL has no lz4.")
	}
}

// readCSV drains the query once, into a file for the rows that load it or need its head, and notes its size.
func (g *ground) readCSV(ctx context.Context) error {
	g.csv = filepath.Join(g.folder, "mails.csv")
	if !slices.ContainsFunc([]string{"pglz", "lz4", "curl", "curl-again"}, g.wants) {
		g.csv = os.DevNull
	}
	f, err := os.Create(g.csv)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	b, err := g.bulk(ctx)
	if err != nil {
		return err
	}
	job, err := b.create(ctx, mailQuery)
	if err != nil {
		return err
	}
	for page, locator := 0, ""; locator != "null"; page++ {
		if locator, err = b.page(ctx, job, locator, 0, func(body io.Reader) error {
			r := bufio.NewReaderSize(body, 1<<20)
			if page > 0 {
				if _, err := r.ReadString('\n'); err != nil { // names of fields have no line ends in them
					return err
				}
			}
			n, err := io.Copy(w, r)
			g.csvSize += n
			return err
		}); err != nil {
			return err
		}
	}
	if err := errors.Join(w.Flush(), b.remove(ctx, job)); err != nil {
		return err
	}
	g.say("Salesforce has %s mails, %.0f MB of CSV", grouped(int64(g.total)), float64(g.csvSize)/1e6)
	return nil
}
