package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"salesforcesync/internal/expect"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/simforce"
)

// Run is a run that was begun.
type Run struct {
	o       Options
	stack   *stack
	tenants []*tenant
	token   string // API token of the administrator
	canary  *canary
	model   *model
	load    *load
	deck    *deck
	unrest  *unrest
	began   time.Time

	billing sync.Mutex
	charged map[string]bool // units that the model was told of

	granting sync.Mutex
	waiting  map[*tenant]time.Time // for an authorization, since

	recoveries    []recovery
	completeAfter time.Duration
	last          findings
	events        int // of histories
	broken        time.Duration

	mu                sync.Mutex
	problems          map[string][]string
	counts            map[string]int // of problems
	looks, unanswered int
	claimed           int
	reconnects, asked int
	heard             float64
}

// New brings an installation up, connects both tenants through the OAuth flow and waits for the first loads.
func New(ctx context.Context, o Options) (_ *Run, err error) {
	r := &Run{o: o.withDefaults(), canary: newCanary(), model: newModel(), began: time.Now(),
		charged: map[string]bool{}, waiting: map[*tenant]time.Time{}, problems: map[string][]string{}, counts: map[string]int{}}
	if r.o.Dir, err = filepath.Abs(r.o.Dir); err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(r.o.Dir); err == nil && len(entries) > 0 {
		return nil, fault.New(fault.Conflict, "%s is not empty", r.o.Dir).WithHint("name another folder, or remove it")
	}
	r.say("seed %d", r.o.Seed)
	if r.stack, err = newStack(ctx, r.o, r.say); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r.stack.close()
		}
	}()
	r.load, r.unrest = newLoad(r), newUnrest(r)
	r.tenants = []*tenant{
		{project: "north", integration: "acme", source: "mails", org: "Acme", user: simforce.SyncUser, objects: []string{expect.MailObject, expect.NoteObject, expect.SurveyObject}},
		{project: "south", integration: "globex", source: "mails", org: "Globex", user: simforce.OtherUser, objects: []string{expect.MailObject, expect.NoteObject}},
	}
	if err := r.setUp(ctx); err != nil {
		return nil, err
	}
	r.deck = newDeck(r)
	r.say("the installation is up: waiting for the first loads")
	if r.last, err = r.reckoning(ctx); err != nil {
		return nil, err
	}
	if !r.OK() {
		return nil, errors.New("nothing was broken yet, and the store is not what Salesforce is")
	}
	r.recoveries = nil // nothing was broken
	return r, nil
}

// setUp makes two tenants and connects them.
func (r *Run) setUp(ctx context.Context) error {
	s := r.stack
	r.canary.add("the consumer secret", s.secret.consumer)
	r.canary.add("the administrator's password", s.secret.password)
	r.canary.add("the key ring", s.secret.key)
	r.canary.add("a refresh token", "5Aep861")
	var orgs []simforce.OrgInfo
	if err := s.control(ctx, "GET", "orgs", nil, &orgs); err != nil {
		return err
	}
	for _, o := range orgs {
		r.canary.add("an access token", o.ID[:15]+"!")
	}
	if err := r.unrest.again(ctx); err != nil {
		return err
	}
	if err := r.populate(ctx); err != nil {
		return err
	}
	var err error
	if r.token, err = s.starter(ctx, "token", "create", "--email", adminEmail, "--name", "chaos"); err != nil {
		return err
	}
	r.canary.add("an API token", r.token)
	if err := s.startPrograms(ctx); err != nil {
		return err
	}
	for _, t := range r.tenants {
		file := filepath.Join(r.o.Dir, t.project+".yaml")
		if err := os.WriteFile(file, []byte(t.file(s)), 0o600); err != nil {
			return err
		}
		if _, err := s.starter(ctx, "apply", "-f", file); err != nil {
			return err
		}
		if err := r.connect(ctx, t); err != nil {
			return err
		}
		reader := "reader@" + t.project + ".example"
		if _, err := s.starter(ctx, "user", "add", reader, "--grant", "viewer,integrations-read", "--project", t.project); err != nil {
			return err
		}
		if t.reader, err = s.starter(ctx, "token", "create", "--email", reader, "--name", "chaos"); err != nil {
			return err
		}
		r.canary.add("an API token", t.reader)
		rows, err := r.sql(ctx, fmt.Sprintf(`select s.id from sources s join projects p on p.id = s.project_id where p.name = '%s' and s.name = '%s'`, t.project, t.source))
		if err != nil {
			return err
		}
		if len(rows) != 1 {
			return fmt.Errorf("there are %d sources %s", len(rows), t.path())
		}
		t.sourceID = rows[0][0]
	}
	return nil
}

// file is the integration file of a tenant.
func (t *tenant) file(s *stack) string {
	text := fmt.Sprintf(`project: %s
integration: %s
source: %s
connection:
  instance_url: %s
  login_url: %s
  consumer_key: %s
  consumer_secret_env: SF_CONSUMER_SECRET
poll_interval: 2s
verify_interval: 1m
objects:
`, t.project, t.integration, t.source, s.instance, s.login, consumerKey)
	specs := map[string]func() string{expect.MailObject: mailFile, expect.NoteObject: noteFile, expect.SurveyObject: surveyFile}
	var b strings.Builder
	for _, object := range t.objects {
		b.WriteString(specs[object]())
	}
	return text + b.String()
}

// The objects as files name them, as the specs of package expect do.
func mailFile() string {
	return "  - object: EmailMessage\n    preset: email\n    properties: {Account: Parent.Account.Name, Read: Status}\n"
}

func noteFile() string {
	return "  - object: CaseComment\n    timestamp: CreatedDate\n    body: CommentBody\n    thread: ParentId\n    properties: {Case Subject: Parent.Subject, Case Status: Parent.Status}\n"
}

func surveyFile() string {
	return "  - object: Survey_Response__c\n    timestamp: Submitted__c\n    body: Feedback__c\n    properties: {Score: Score__c, Name: Name}\n"
}

// populate writes what is there before the first load, and has the model know all of it.
func (r *Run) populate(ctx context.Context) error {
	for _, t := range r.tenants {
		for _, object := range t.objects {
			rows, err := r.stack.rows(ctx, t.org, object)
			if err != nil {
				return err
			}
			for _, row := range rows {
				r.model.created(t, object, row, time.Now())
			}
		}
		for i := range 60 {
			var err error
			switch {
			case i == 0:
				err = r.load.account(ctx, t)
			case i < 6:
				err = r.load.newCase(ctx, t)
			default:
				err = r.load.create(ctx, t, t.objects[i%len(t.objects)], 0)
			}
			if err != nil && !errors.Is(err, errRefused) {
				return err
			}
		}
	}
	r.load.since = time.Now()
	return nil
}

// Play breaks things for as long as the options say, with a reckoning now and then, and looks at the end for what can
// only be seen then.
func (r *Run) Play(ctx context.Context) error {
	for r.broken < r.o.For && ctx.Err() == nil {
		if err := r.stretch(ctx, min(r.o.Reckon, r.o.For-r.broken)); err != nil {
			return err
		}
		if len(r.last.list) > 0 {
			r.say("stopping: what is off would only be looked at anew")
			break
		}
	}
	if err := r.completed(ctx); err != nil {
		return err
	}
	if err := r.finish(ctx); err != nil {
		return err
	}
	if !r.OK() {
		r.keep(ctx)
	}
	return nil
}

// stretch breaks things for a while and reckons.
func (r *Run) stretch(ctx context.Context, d time.Duration) (err error) {
	defer r.guard(ctx)()
	r.unleash(ctx, d)
	r.last, err = r.reckoning(ctx)
	return err
}

// guard has supervisors and watches run until what it returns is called.
func (r *Run) guard(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, m := range r.stack.members {
		running.Go(func() { m.keep(ctx) })
	}
	for i := range watches {
		running.Go(func() { r.watch(ctx, i) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// finish looks for secrets everywhere.
func (r *Run) finish(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.say("looking for secrets")
	if err := r.search(ctx); err != nil {
		return err
	}
	if n, where := r.canary.total(); n > 0 {
		r.off("secrets", "%s", strings.Join(where, "; "))
	}
	return nil
}

// keep writes down what a person will ask for: the database, and what the operator's program says.
func (r *Run) keep(ctx context.Context) {
	var said strings.Builder
	for _, t := range r.tenants {
		out, err := r.stack.starter(ctx, "status", t.name())
		fmt.Fprintln(&said, out, err)
	}
	dump, err := r.dump(ctx)
	if err == nil {
		err = os.WriteFile(filepath.Join(r.o.Dir, "database.sql"), dump, 0o600)
	}
	if err := errors.Join(err, os.WriteFile(filepath.Join(r.o.Dir, "status.txt"), []byte(said.String()), 0o600)); err != nil {
		r.say("keep what there is: %v", err)
	}
}

// reseed has everything drawn from another seed from now on.
func (r *Run) reseed(seed uint64) {
	r.say("seed %d", seed)
	r.o.Seed = seed
	for stream, g := range []**rand.Rand{&r.load.g, &r.deck.g, &r.unrest.g} {
		*g = rand.New(rand.NewPCG(seed, uint64(stream)+1))
	}
}

// unleash has load and faults for a while. When it returns nothing is broken any more.
func (r *Run) unleash(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() { r.load.run(ctx) })
	running.Go(func() { r.unrest.lane(ctx) })
	for range r.o.Lanes {
		running.Go(func() { r.deck.lane(ctx) })
	}
	running.Go(func() { r.operator(ctx) })
	began := time.Now()
	running.Wait()
	r.broken += time.Since(began)
	r.heard = max(r.heard, load1())
}

// operator asks for a large load, or to compare everything anew, now and then.
func (r *Run) operator(ctx context.Context) {
	g := rand.New(rand.NewPCG(r.o.Seed, uint64(len(r.recoveries))))
	for wait(ctx, time.Duration(5+g.IntN(40))*time.Second) {
		t := r.tenants[g.IntN(len(r.tenants))]
		what := []string{"backfill", "resync"}[g.IntN(2)]
		_, err := r.stack.starter(ctx, what, t.name(), "--object", expect.MailObject)
		r.say("starter %s %s: %v", what, t.name(), err)
		if err == nil {
			r.count(func() { r.asked++ })
		}
	}
}

// Close ends everything. The folder stays.
func (r *Run) Close() { r.stack.close() }

// say tells how it goes.
func (r *Run) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.o.Out, "%s %6.1fs  %s\n", time.Now().Format(time.TimeOnly), time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

func (r *Run) count(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// off notes that something is not as it must be.
func (r *Run) off(kind, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text != "" {
		r.say("OFF, %s: %s", kind, text)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[kind]++
	if text != "" && len(r.problems[kind]) < 10 {
		r.problems[kind] = append(r.problems[kind], text)
	}
}

// OK reports whether every promise was kept.
func (r *Run) OK() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.counts) == 0
}

// machine says what it ran on.
func machine() string {
	return fmt.Sprintf("%d cores, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
}
