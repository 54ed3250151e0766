package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/meter"
	"salesforcesync/internal/simforce"
)

// What the product's integration is called.
const (
	project       = "bench"
	integration   = "mails"
	source        = "mails"
	shapeDatabase = "shape" // the product's tables without a row
)

// install is the product, installed anew for one run.
type install struct {
	*ground
	name     string // of its database
	env      []string
	temporal *devstack.Temporal
	authsvc  *devstack.Process
	worker   *devstack.Process
	token    string // of the API
	listed   bool   // also read the whole list

	mu      sync.Mutex
	written []string // Ids of live mails
}

// ours is the product through its shipped programs: a first load, and a second pass of the same mails.
func (g *ground) ours(ctx context.Context, give func(string, result)) (err error) {
	i, err := g.install(ctx)
	defer func() { err = errors.Join(err, i.remove(), i.unwrite(ctx)) }()
	if err != nil {
		return err
	}
	first, err := i.load(ctx)
	if err != nil {
		return i.explain(ctx, err)
	}
	give("ours", first)
	again, err := i.again(ctx)
	if err != nil {
		return i.explain(ctx, err)
	}
	give("again", again)
	return i.export(ctx, i.name)
}

// install prepares a database and starts Temporal, authsvc and worker.
func (g *ground) install(ctx context.Context) (*install, error) {
	g.installs++
	i := &install{ground: g, name: "ours_" + strconv.Itoa(g.installs), listed: g.installs == 1}
	if _, err := g.sql(ctx, "", "create database "+i.name); err != nil {
		return i, err
	}
	if g.server == "" {
		var err error
		if g.server, err = g.tools.Temporal(ctx); err != nil {
			return i, err
		}
	}
	var err error
	if i.temporal, err = devstack.StartTemporal(ctx, devstack.TemporalOptions{Bin: g.server}); err != nil {
		return i, err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	i.env = []string{
		"DATABASE_URL=" + g.databaseURL(i.name), "TEMPORAL_ADDRESS=" + i.temporal.Address(), "PUBLIC_URL=" + g.public,
		"LISTEN_ADDR=" + strings.TrimPrefix(g.public, "http://"), "ENCRYPTION_KEYS=bench:" + base64.StdEncoding.EncodeToString(key),
		"SALESFORCE_EXTRA_HOSTS=" + strings.TrimPrefix(g.simURL, "http://"),
		"ADMIN_EMAIL=" + adminEmail, "ADMIN_PASSWORD=" + rand.Text(),
	}
	if _, err := i.starter(ctx, "setup"); err != nil {
		return i, err
	}
	if !g.shape { // while nobody is connected to it
		if _, err := g.sql(ctx, "", "create database "+shapeDatabase+" template "+i.name); err != nil {
			return i, err
		}
		g.shape = true
	}
	if i.token, err = i.starter(ctx, "token", "create", "--email", adminEmail, "--name", "bench"); err != nil {
		return i, err
	}
	if i.authsvc, err = g.start(ctx, "authsvc", i.env, g.public+"/readyz"); err != nil {
		return i, err
	}
	port, err := devstack.FreePort()
	if err != nil {
		return i, err
	}
	metrics := "127.0.0.1:" + strconv.Itoa(port)
	if i.worker, err = g.start(ctx, filepath.Join(g.workers, "worker"), append(i.env, "METRICS_ADDR="+metrics), "http://"+metrics+"/readyz"); err != nil {
		return i, err
	}
	g.meter.PIDs[ofWorker], g.meter.PIDs[ofAuthsvc], g.meter.PIDs[ofTemporal] = i.worker.PID(), i.authsvc.PID(), i.temporal.Process().PID()
	return i, i.apply(ctx)
}

func (i *install) apply(ctx context.Context) error {
	file := filepath.Join(i.folder, "bench.yaml")
	text := fmt.Sprintf(`project: %s
integration: %s
source: %s
connection:
  instance_url: %s
  consumer_key: %s
  consumer_secret_file: %s
poll_interval: 1s
objects:
  - object: EmailMessage
    preset: email
`, project, integration, source, i.simURL, consumerKey, strconv.Quote(i.secret))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	_, err := i.starter(ctx, "apply", "-f", file)
	return err
}

// remove ends the programs and drops the database.
func (i *install) remove() error {
	var errs []error
	for _, p := range []*devstack.Process{i.worker, i.authsvc} {
		if p != nil {
			errs = append(errs, p.Stop())
		}
	}
	if i.temporal != nil {
		errs = append(errs, i.temporal.Stop())
	}
	for _, who := range []string{ofWorker, ofAuthsvc, ofTemporal} {
		delete(i.meter.PIDs, who)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // also after a Ctrl-C
	defer cancel()
	_, err := i.sql(ctx, "", "drop database if exists "+i.name+" with (force)")
	return errors.Join(append(errs, err)...)
}

// explain adds what the operator's program says to an error.
func (i *install) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if status, e := i.starter(ctx, "status", project+"/"+integration); e == nil {
		err = fmt.Errorf("%w\n%s", err, status)
	}
	return fmt.Errorf("%w\nthe worker's last words:\n%s", err, i.worker.Tail(10))
}

// starter runs the operator's program and returns what it printed.
func (i *install) starter(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(i.bin, "starter"), args...)
	cmd.Env = append(devstack.BareEnvironment(), i.env...)
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("starter %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(problems.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// load connects the integration, which starts its first load, and waits until all mails can be read.
func (i *install) load(ctx context.Context) (result, error) {
	link, err := i.starter(ctx, "connect", project+"/"+integration)
	if err != nil {
		return result{}, err
	}
	meter.ForgetPeak(i.worker.PID())
	if err := i.profiling(ctx, true); err != nil {
		return result{}, err
	}
	var live *liveMail
	r, err := i.measured(ctx, func() error {
		if err := i.consent(ctx, link); err != nil {
			return err
		}
		if i.live {
			live = i.startLive(ctx)
		}
		return i.waitFor(ctx, "the first load", func() (int64, bool, error) {
			s, err := i.progress(ctx)
			want := i.total
			if live != nil {
				want += len(live.waits())
			}
			if err != nil || s.Comments < int64(want) {
				return s.Comments, false, err
			}
			n, err := i.count(ctx)
			return int64(n), n >= want, err
		})
	})
	if err == nil {
		_, r.memory = meter.Memory(i.worker.PID())
		err = i.profiling(ctx, false)
	}
	if err == nil && live != nil {
		// Usual is what it is when nothing else is going on.
		during := live.waits()
		if err = i.settled(ctx); err == nil {
			err = live.more(ctx, 30)
		}
		live.stop()
		usual := live.waits()[len(during):]
		r.notes = append(r.notes, fmt.Sprintf("live mail, written until it can be read: during the load p50 %.1f s, p95 %.1f s (%d mails); usually p50 %.1f s, p95 %.1f s (%d mails)",
			percentile(during, 50).Seconds(), percentile(during, 95).Seconds(), len(during),
			percentile(usual, 50).Seconds(), percentile(usual, 95).Seconds(), len(usual)))
	}
	if err != nil {
		return r, err
	}
	calls, err := i.calls(ctx)
	if err != nil {
		return r, err
	}
	r.notes = append(r.notes, callsNote+calls)
	if i.listed && !i.live {
		n, err := i.list(ctx)
		if err != nil {
			return r, err
		}
		if n != i.total {
			return r, fmt.Errorf("the API lists %d comments of %d", n, i.total)
		}
		r.notes = append(r.notes, fmt.Sprintf("the API's list, read to its end afterwards, has %s comments", grouped(int64(n))))
	}
	return r, nil
}

// settled waits until no load is under way.
func (i *install) settled(ctx context.Context) error {
	return i.waitFor(ctx, "the end of the load", func() (int64, bool, error) {
		s, err := i.progress(ctx)
		return s.Load.Rows, err == nil && s.Load.State != "open", err
	})
}

// again asks for a second pass over everything and waits for its end; nothing has changed meanwhile.
func (i *install) again(ctx context.Context) (result, error) {
	if err := i.settled(ctx); err != nil {
		return result{}, err
	}
	lag, err := i.indexed(ctx)
	if err != nil {
		return result{}, err
	}
	before, err := i.progress(ctx)
	if err != nil {
		return result{}, err
	}
	versions, err := i.versions(ctx)
	if err != nil {
		return result{}, err
	}
	meter.ForgetPeak(i.worker.PID())
	r, err := i.measured(ctx, func() error {
		if _, err := i.starter(ctx, "backfill", project+"/"+integration, "--object", "EmailMessage"); err != nil {
			return err
		}
		return i.waitFor(ctx, "the second pass", func() (int64, bool, error) {
			s, err := i.progress(ctx)
			return s.Load.Rows, err == nil && s.Load.Requested != before.Load.Requested && s.Load.State == "done", err
		})
	})
	if err != nil {
		return r, err
	}
	_, r.memory = meter.Memory(i.worker.PID())
	after, err := i.progress(ctx)
	if err != nil {
		return r, err
	}
	more, err := i.versions(ctx)
	if err != nil {
		return r, err
	}
	r.notes = append(r.notes, fmt.Sprintf("the index of words had everything %.0f s after the first load, and was filled before this pass", lag.Seconds()))
	note := fmt.Sprintf("%d rows read, %d units; new row versions:", after.Load.Rows, after.Units-before.Units)
	for n, table := range finishedTables {
		note += fmt.Sprintf(" %s %d,", table, more[n]-versions[n])
	}
	r.notes = append(r.notes, strings.TrimSuffix(note, ","))
	return r, nil
}

// indexed waits until searches find every comment, and says for how long. The index is filled when a load
// has ended; what is measured beside that is neither.
func (i *install) indexed(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	err := i.waitFor(ctx, "the index of words", func() (int64, bool, error) {
		var answer struct {
			Lag float64 `json:"index_lag_seconds"`
		}
		target := i.public + "/api/v1/sources/" + project + "/" + source + "/comments?q=mail&limit=1"
		if err := callJSON(ctx, http.MethodGet, target, i.token, nil, &answer); err != nil {
			return 0, false, err
		}
		out, err := i.sql(ctx, i.name, "select count(*) from comment_words")
		if err != nil {
			return 0, false, err
		}
		n, err := strconv.ParseInt(out, 10, 64)
		return n, err == nil && answer.Lag == 0 && n > 0, err
	})
	return time.Since(begun), err
}

// versions is how many row versions each of the finished tables has been given so far.
func (i *install) versions(ctx context.Context) ([]int64, error) {
	// Sessions report what they did within ten idle seconds (PostgreSQL's documentation, "The
	// Cumulative Statistics System").
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(12 * time.Second):
	}
	var list []int64
	for _, table := range finishedTables {
		out, err := i.sql(ctx, i.name, "select n_tup_ins + n_tup_upd from pg_stat_user_tables where relname = '"+table+"'")
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseInt(out, 10, 64)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// consent is the Salesforce administrator in front of a browser.
func (i *install) consent(ctx context.Context, link string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	follow := func(from string) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
		if err != nil {
			return "", err
		}
		resp, err := browser.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		to, err := resp.Location()
		if err != nil {
			page, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
			return "", fmt.Errorf("connect to Salesforce: %s%s says %s: %s", req.URL.Host, req.URL.Path, resp.Status, page)
		}
		return to.String(), nil
	}
	login, err := follow(link)
	if err != nil {
		return err
	}
	back, err := simforce.Consent(ctx, login, integrationUser, true)
	if err != nil {
		return err
	}
	_, err = follow(back)
	return err
}

// waitFor asks until it is told yes: four times a second when that is near, seldom before,
// because every answer of the API counts rows in the database that is being measured. It
// gives up when the number has not moved for two minutes.
func (i *install) waitFor(ctx context.Context, what string, ask func() (moved int64, done bool, err error)) error {
	begun, first, last, at := time.Now(), int64(-1), int64(-1), time.Now()
	for {
		n, done, err := ask()
		if err == nil && done {
			return nil
		}
		if err == nil && first < 0 {
			first = n
		}
		if n != last {
			last, at = n, time.Now()
		}
		pause := shortPause
		if rate := float64(n-first) / time.Since(begun).Seconds(); rate > 0 {
			rest := time.Duration(float64(int64(i.total)-n) / rate * float64(time.Second))
			pause = min(max(rest/4, shortPause), longPause)
		}
		if time.Since(at) > 2*time.Minute {
			return errors.Join(fmt.Errorf("wait for %s: nothing has moved for two minutes, at %d", what, n), err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-i.worker.Done():
			return i.worker.Ended()
		case <-time.After(pause):
		}
	}
}

// Bounds of the pause between two questions.
const (
	shortPause = 250 * time.Millisecond
	longPause  = 4 * time.Second
)

// progress is what the API says of the integration.
type progress struct {
	Comments, Units int64
	Load            struct {
		State     string `json:"state"`
		Rows      int64  `json:"rows"`
		Requested string `json:"requested_at"`
	}
}

func (i *install) progress(ctx context.Context) (progress, error) {
	var answer struct {
		Objects []struct {
			Comments int64 `json:"num_comments"`
			Units    int64 `json:"ai_units"`
			Load     *struct {
				State     string `json:"state"`
				Rows      int64  `json:"rows"`
				Requested string `json:"requested_at"`
			} `json:"backfill"`
		} `json:"objects"`
	}
	var p progress
	err := callJSON(ctx, http.MethodGet, i.public+"/api/v1/integrations/"+project+"/"+integration, i.token, nil, &answer)
	if err == nil && len(answer.Objects) == 1 {
		o := answer.Objects[0]
		p.Comments, p.Units = o.Comments, o.Units
		if o.Load != nil {
			p.Load.State, p.Load.Rows, p.Load.Requested = o.Load.State, o.Load.Rows, o.Load.Requested
		}
	}
	return p, err
}

// count asks the API how many comments the source has.
func (i *install) count(ctx context.Context) (int, error) {
	var answer struct {
		Statistics struct {
			Comments int `json:"num_comments"`
		} `json:"statistics"`
	}
	err := callJSON(ctx, http.MethodPost, i.public+"/api/v1/sources/"+project+"/"+source+"/statistics", i.token, struct{}{}, &answer)
	return answer.Statistics.Comments, err
}

// list reads the API's list of comments to its end and returns how many different ones it has.
func (i *install) list(ctx context.Context) (int, error) {
	seen := map[string]bool{}
	for after := ""; ; {
		var page struct {
			Comments []struct {
				ID string `json:"id"`
			} `json:"comments"`
			Continuation string `json:"continuation"`
		}
		target := i.public + "/api/_private/sources/" + project + "/" + source + "/comments?limit=256&after=" + url.QueryEscape(after)
		if after == "" {
			target = strings.TrimSuffix(target, "&after=")
		}
		err := callJSON(ctx, http.MethodGet, target, i.token, nil, &page)
		var status *statusError
		if errors.As(err, &status) && status.code == http.StatusTooManyRequests {
			time.Sleep(time.Second)
			continue
		}
		if err != nil {
			return 0, err
		}
		for _, c := range page.Comments {
			seen[c.ID] = true
		}
		if after = page.Continuation; after == "" {
			return len(seen), nil
		}
	}
}

const callsNote = "requests to Salesforce: "

// calls says what the simulator was asked since it started or was asked the last time.
func (i *install) calls(ctx context.Context) (string, error) {
	var c struct {
		Kinds map[string]int `json:"kinds"`
		Total int            `json:"total"`
	}
	if err := callJSON(ctx, http.MethodGet, i.simURL+"/_sim/counters", "", nil, &c); err != nil {
		return "", err
	}
	return kinds(c.Kinds), callJSON(ctx, http.MethodDelete, i.simURL+"/_sim/counters", "", nil, nil)
}
