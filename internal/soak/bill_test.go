package soak

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/clean"
	"salesforcesync/internal/config"
	"salesforcesync/internal/crashpoint"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// bills is how many random sequences are played with the other tests, always the same: BILL_SEED and BILL_RUNS ask for others, and
// for more.
const bills = 3

// billSteps is how long one is.
const billSteps = 45

// Any random sequence of API writes, polls, retries and crashes gives the bill of a straight-line model: per project,
// source and day, after each step.
func TestPlainAnySequenceGivesTheBillOfAStraightLine(t *testing.T) {
	t.Parallel()
	first, n := envNumber(t, "BILL_SEED", 4_000), envNumber(t, "BILL_RUNS", bills)
	binary := buildPerformer(t)
	t.Run("sequences", func(t *testing.T) {
		t.Parallel()
		began, d, total := time.Now(), newDatabase(t), map[string]int{}
		for seed := first; seed < first+n; seed++ {
			did, err := playBill(t, d, binary, seed, "")
			for what, n := range did {
				total[what] += n
			}
			require.NoError(t, err, "again: BILL_SEED=%d BILL_RUNS=1 go test ./internal/soak -run AnySequenceGivesTheBill", seed)
		}
		t.Logf("measured: BILL_SEED=%d BILL_RUNS=%d in %s: %v", first, n, time.Since(began).Round(time.Second), total)
		for _, point := range []string{crashpoint.BatchStaged, crashpoint.BeforeCommit, crashpoint.AfterCommit} {
			require.Positive(t, total["died at "+point])
		}
		require.Positive(t, total["undelete"])
		require.Positive(t, total["units for texts anew"])
	})
	// The comparison is worth something only if it notices a rule that one of the two gets wrong.
	t.Run("rules that are wrong", func(t *testing.T) {
		t.Parallel()
		d := newDatabase(t)
		for _, rule := range []string{"metadata", "undelete", "retry"} {
			var err error
			seed := first
			for ; err == nil && seed < first+10; seed++ {
				_, err = playBill(t, d, binary, seed, rule)
			}
			require.ErrorContains(t, err, "should have cost", rule)
			t.Logf("measured: %q is noticed by sequence %d", rule, seed-first)
		}
	})
}

// playBill plays the sequence of a seed and says what it did.
func playBill(t *testing.T, d *database, binary string, seed uint64, bent string) (did map[string]int, err error) {
	var s *ledgerScript
	defer func() {
		if s == nil {
			return
		}
		s.performer.kill()
		s.web.Close()
		did = s.did
		for point, n := range s.performer.deaths {
			did["died at "+point] += n
		}
		if err != nil {
			err = fmt.Errorf("seed %d: %w\n--- the last of what happened:\n%s", seed, err, strings.Join(s.trail[max(0, len(s.trail)-40):], "\n"))
		}
	}()
	err = caught(func() {
		d.empty(t.Context())
		s = newLedgerScript(t, d, binary, seed)
		s.clerk.bent = bent
		for range billSteps {
			s.step()
			s.compare()
		}
		s.settle()
	})
	return did, err
}

// The objects that are read, the source that they feed, and the sources that clients write to.
const synced = "support/all"

var written = []string{"support/written", "sales/written"}

// ledgerScript is one random sequence: Salesforce, the process that does what is asked, and the clerk who keeps the bill
// beside it.
type ledgerScript struct {
	t         *testing.T
	d         *database
	g         *rand.Rand
	performer *performer
	clerk     *clerk
	sim       *simforce.Server
	web       *httptest.Server
	time      time.Time
	token     string
	cases     []string
	spec      config.Integration

	id       string // of the integration; "" while there is none
	loading  bool   // a load is under way: what it reads when is not known, so records stay as they are
	readings map[flow.BatchRef]map[string]sheet
	applied  map[flow.BatchRef]flow.Counts
	refs     []flow.BatchRef // that were sealed
	old      map[string][]string
	texts    int
	trail    []string
	did      map[string]int
}

func newLedgerScript(t *testing.T, d *database, binary string, seed uint64) *ledgerScript {
	g := rand.New(rand.NewPCG(seed, 0xb111))
	s := &ledgerScript{t: t, d: d, g: g, time: start.Add(time.Duration(g.IntN(24)) * time.Hour), readings: map[flow.BatchRef]map[string]sheet{},
		applied: map[flow.BatchRef]flow.Counts{}, old: map[string][]string{}, did: map[string]int{}}
	d.setClock(t.Context(), s.time)
	var err error
	s.sim, err = simforce.New(simforce.Options{Clock: func() time.Time { return s.time }, Seed: seed})
	must(err, "start the simulator")
	s.web = httptest.NewServer(s.sim)
	s.sim.SetBaseURL(s.web.URL)
	org, err := url.Parse(s.web.URL)
	must(err, "read the simulator's address")
	s.performer = newPerformer(binary, filepath.Join(t.TempDir(), "performer"), d.url, org.Host)

	policy := map[string]string{mailObject: policies[g.IntN(3)], surveyObject: policies[g.IntN(3)]}
	s.clerk = newClerk(policy)
	s.spec = config.Integration{Project: "support", Integration: "prod", Source: "all", PollInterval: config.DefaultPollInterval,
		Connection: config.Connection{InstanceURL: s.web.URL, LoginURL: s.web.URL, ConsumerKey: "3MVG9simforce", ConsumerSecret: "simforce-secret"},
		Objects: []config.Object{
			{Object: mailObject, Preset: config.PresetEmail, Where: "Incoming = true", Deleted: policy[mailObject], Properties: []config.Property{{Name: "Read", Path: "Status"}}},
			{Object: surveyObject, Fields: config.FieldMap{"timestamp": "Submitted__c", "body": "Feedback__c"}, Deleted: policy[surveyObject],
				Properties: []config.Property{{Name: "Score", Path: "Score__c"}}},
		}}
	for range 2 {
		row, err := s.sim.CreateRecord("Case", simforce.Write{Fields: simforce.Row{"Subject": "Case", "Priority": "High"}})
		must(err, "write a case")
		s.cases = append(s.cases, text(row, "Id"))
	}
	for range 2 + g.IntN(4) {
		s.create()
	}
	var grants []store.Grant
	for _, project := range []string{"support", "sales"} {
		_, err := d.db.CreateProject(t.Context(), store.NewProject{Name: project})
		must(err, "make a project")
		_, err = d.db.CreateSource(t.Context(), project, "written", store.SourceFields{})
		must(err, "make a source")
		grants = append(grants, store.Grant{Project: project, Permission: access.SourcesAddComments}, store.Grant{Project: project, Permission: access.SourcesRead})
	}
	users := access.New(d.db)
	_, err = users.CreateUser(t.Context(), "writer@example.com", "", grants)
	must(err, "make a user")
	token, err := users.CreateToken(t.Context(), "writer@example.com", "test", time.Time{})
	must(err, "make a token")
	s.token = token.Reveal()
	s.begin()
	return s
}

func (s *ledgerScript) say(format string, args ...any) {
	s.trail = append(s.trail, s.time.Format("02 15:04:05 ")+fmt.Sprintf(format, args...))
}

func (s *ledgerScript) pass(by time.Duration) {
	s.time = s.time.Add(by)
	s.d.setClock(s.t.Context(), s.time)
}

func (s *ledgerScript) chance(n int) bool { return s.g.IntN(n) == 0 }

// one picks one of a list.
func one[T any](g *rand.Rand, list []T) T { return list[g.IntN(len(list))] }

// point is where the process dies, "" for nowhere.
func (s *ledgerScript) point(points []string) string {
	if !s.chance(6) {
		return ""
	}
	point := one(s.g, points)
	if point == crashpoint.TokenAnswered { // it comes to that when the session is over
		if s.chance(2) {
			return ""
		}
		s.sim.KillSessions("")
	}
	return point
}

// step is one thing that happens.
func (s *ledgerScript) step() {
	acts := []struct {
		weight int
		what   string
		do     func()
	}{
		{30, "tick", s.tick},
		{16, "records", func() {
			for range 1 + s.g.IntN(5) {
				s.record()
			}
		}},
		{12, "clients", func() {
			for range 1 + s.g.IntN(3) {
				s.client()
			}
		}},
		{8, "time", s.wait},
		{5, "repeat", s.repeat},
		{3, "resync", s.resync},
		{3, "edit", s.edit},
		{2, "backfill", s.backfill},
		{4, "older", s.older},
		{3, "retransform", s.retransform},
		{2, "kill", func() { s.performer.kill(); s.performer.start() }},
		{2, "leave", s.leave},
	}
	total := 0
	for _, a := range acts {
		total += a.weight
	}
	at := s.g.IntN(total)
	for _, a := range acts {
		if at -= a.weight; at < 0 {
			s.say("step %s", a.what)
			s.did[a.what]++
			a.do()
			return
		}
	}
}

// meanwhile is what may happen between two activities of a batch.
func (s *ledgerScript) meanwhile() {
	for s.chance(3) {
		switch s.g.IntN(8) {
		case 0, 1, 2:
			s.record()
		case 3, 4:
			s.client()
		case 5:
			if !s.loading {
				s.edit()
			}
		default:
			s.wait()
		}
	}
}

// wait is seconds, or a night.
func (s *ledgerScript) wait() {
	by := time.Duration(1+s.g.IntN(200)) * time.Second
	if s.chance(3) {
		by = time.Duration(1+s.g.IntN(30)) * time.Hour
	}
	s.pass(by)
}

// ---------------------------------------------------------------- Salesforce

func (s *ledgerScript) words() string {
	s.texts++
	return fmt.Sprintf("words %d of somebody", s.texts)
}

// fields are a record's text as Salesforce has it.
func fields(of *sheet) simforce.Row {
	if of.object == surveyObject {
		return simforce.Row{"Feedback__c": of.reply}
	}
	body := of.reply
	if of.quote != "" {
		body += "\n\nOn Mon, 2 Mar 2026 at 10:00, Bob <bob@example.com> wrote:\n> " + of.quote + "\n"
	}
	return simforce.Row{"Subject": of.subject, "TextBody": body}
}

func (s *ledgerScript) create() {
	of := &sheet{object: mailObject, version: 1, subject: s.words(), reply: s.words()}
	f := simforce.Row{"Incoming": true, "Status": "0", "FromAddress": "ann@example.com", "FromName": "Ann", "ToAddress": "help@acme.example", "ParentId": one(s.g, s.cases)}
	if s.chance(2) {
		of.quote = s.words()
	}
	if s.chance(3) {
		of = &sheet{object: surveyObject, version: 1, reply: s.words(), unusable: s.chance(4)}
		f = simforce.Row{"Score__c": 5.0}
		if !of.unusable {
			f["Submitted__c"] = s.time
		}
	}
	for name, value := range fields(of) {
		f[name] = value
	}
	row, err := s.sim.CreateRecord(of.object, simforce.Write{Fields: f})
	must(err, "create a record")
	id := text(row, "Id")
	s.clerk.records[id] = of
	s.old[id] = []string{of.reply}
	s.say("create %s %s", of.object, id)
}

// record changes one record.
func (s *ledgerScript) record() {
	if s.loading {
		return
	}
	s.pass(time.Duration(1000+s.g.IntN(4000)) * time.Millisecond) // stamps have whole seconds
	ids := slices.Sorted(maps.Keys(s.clerk.records))
	id := one(s.g, ids)
	of := s.clerk.records[id]
	f := simforce.Row{}
	what := s.g.IntN(10)
	switch {
	case what < 2:
		s.create()
		return
	case of.deleted && s.chance(2):
		must(s.sim.UndeleteRecord("", id), "undelete")
		s.did["undelete"]++
		of.deleted = false
		of.version++
		s.say("undelete %s", id)
		return
	case of.deleted:
		return
	case what == 2 && !of.outside:
		must(s.sim.DeleteRecord("", id, false), "delete")
		of.deleted = true
		of.version++
		s.say("delete %s", id)
		return
	case what == 3: // a parent's change does not stamp it
		_, err := s.sim.UpdateRecord("Case", one(s.g, s.cases), simforce.Write{Fields: simforce.Row{"Priority": one(s.g, []string{"High", "Low", "Medium"})}})
		must(err, "change a case")
		s.say("change a case")
		return
	case what == 4 && of.object == mailObject:
		f["Status"] = one(s.g, []string{"0", "1", "2", "3"})
	case what == 4 && s.chance(2):
		f["Score__c"] = float64(s.g.IntN(100))
	case what == 4:
		of.unusable = !of.unusable
		if f["Submitted__c"] = nil; !of.unusable {
			f["Submitted__c"] = s.time
		}
	case what == 5 && of.object == mailObject && len(s.pending()) == 0:
		of.outside = !of.outside
		f["Incoming"] = !of.outside
	case what == 6: // back to a text that it had
		of.reply = one(s.g, s.old[id])
		f = fields(of)
	case what == 7 && of.quote != "": // an input that says the same
		of.quote = s.words()
		f = fields(of)
	case what == 8 && of.object == mailObject:
		of.subject = s.words()
		f = fields(of)
	default:
		of.reply = s.words()
		s.old[id] = append(s.old[id], of.reply)
		f = fields(of)
	}
	of.version++
	_, err := s.sim.UpdateRecord(of.object, id, simforce.Write{Fields: f})
	must(err, "change a record")
	s.say("change %s %s: %v", of.object, id, f)
}

// ---------------------------------------------------------------- activities

// over reads how an activity ended: again says that it has to be asked once more, because whoever did it is dead, and over that its
// batch is one that nobody may work on any more. Any other failure is a defect.
func (s *ledgerScript) over(what string, err error) (again, over bool) {
	switch {
	case err == nil:
		return false, false
	case errors.Is(err, errDied):
		s.say("%s: %v", what, err)
		return true, false
	}
	s.say("%s: %s: %v", what, fault.KindOf(err), err)
	check(fault.Is(err, fault.Fenced, fault.Stopped), "%s failed as it never may: %s: %v", what, fault.KindOf(err), err)
	return false, true
}

// begin applies the file and connects.
func (s *ledgerScript) begin() {
	result, err := s.d.db.ApplyIntegration(s.t.Context(), s.spec)
	must(err, "apply the file")
	s.id = result.IntegrationID
	s.connect()
}

func (s *ledgerScript) connect() {
	tokens, err := s.sim.Grant(simforce.SyncUser)
	must(err, "grant")
	acme := s.sim.Orgs()[0]
	must(s.d.db.SaveGrant(s.t.Context(), store.SalesforceGrant{IntegrationID: s.id, OrgID: acme.ID, UserID: acme.Users[simforce.SyncUser],
		Username: simforce.SyncUser, InstanceURL: s.web.URL, Access: secret.Text(tokens.AccessToken), Refresh: secret.Text(tokens.RefreshToken)}), "save the grant")
}

// leave deletes the integration: its source stays, and clients may write to it. The next tick applies it again.
func (s *ledgerScript) leave() {
	if s.id == "" || s.loading {
		return
	}
	must(s.d.db.DeleteIntegration(s.t.Context(), s.id, false), "delete the integration")
	s.id = ""
	s.clerk.leave(synced)
	for range s.g.IntN(4) {
		s.write(synced)
	}
}

func (s *ledgerScript) tick() { s.round() }

// round is one round of the workflow. It reports whether there was nothing to do.
func (s *ledgerScript) round() (quiet bool) {
	if s.id == "" {
		s.begin()
	}
	var w flow.WatchResult
	for {
		s.pass(40 * time.Millisecond)
		err := s.performer.run(s.point([]string{crashpoint.TokenAnswered}), flow.Watch.Name, flow.WatchParams{Project: s.spec.Project, Integration: s.spec.Integration, Once: true}, &w)
		if again, _ := s.over("Watch", err); !again {
			break
		}
	}
	s.say("Watch: %s %s, news %v, backfills %v", w.Outcome, w.Reason, w.News, w.Backfills)
	for _, f := range w.Faults {
		fail("Watch: %s: %s: %s", f.Object, f.Kind, f.Message)
	}
	if w.Outcome == flow.OutcomeUnchecked {
		var c flow.CheckResult
		s.over("Check", s.performer.run("", flow.Check.Name, flow.CheckParams{Project: s.spec.Project, Integration: s.spec.Integration}, &c))
		for _, o := range c.Objects {
			check(o.Problem == "", "Check: %s: %s", o.Object, o.Problem)
		}
		return false
	}
	check(w.Outcome == flow.OutcomeNews || w.Outcome == flow.OutcomeQuiet, "Watch says %s: %s", w.Outcome, w.Reason)
	for _, object := range w.Backfills {
		s.load(object)
	}
	for _, n := range w.News {
		ref := n.Batch
		ref.Object = n.Object
		s.batches(ref)
	}
	return len(w.News)+len(w.Backfills) == 0
}

// load does a large load to its end. Records stay as they are meanwhile.
func (s *ledgerScript) load(object string) {
	s.loading = true
	defer func() { s.loading = false }()
	for range 200 {
		var r flow.BackfillStepResult
		err := s.performer.run(s.point(stepPoints), flow.BackfillStep.Name, flow.BackfillStepParams{Project: s.spec.Project, Integration: s.spec.Integration, Object: object}, &r)
		again, over := s.over("BackfillStep", err)
		s.pass(5 * time.Second)
		if again {
			continue
		}
		if over || r.Outcome != flow.OutcomeOpen {
			s.say("the load of %s: %s %s", object, r.Outcome, r.Reason)
			return
		}
		for _, ref := range r.Ready {
			ref.Object = object
			s.batches(ref)
		}
	}
	fail("the load of %s does not end", object)
}

func (s *ledgerScript) name(ref flow.BatchRef) flow.BatchRef {
	return flow.BatchRef{Stream: ref.Stream, Epoch: ref.Epoch, Seq: ref.Seq}
}

// pending are the batches that are read and not applied.
func (s *ledgerScript) pending() (refs []flow.BatchRef) {
	for _, ref := range s.refs {
		if _, done := s.applied[s.name(ref)]; !done {
			refs = append(refs, ref)
		}
	}
	return refs
}

// batches polls, transforms and applies until there is no more, or the worker is gone and nobody goes on.
func (s *ledgerScript) batches(ref flow.BatchRef) {
	for range 50 {
		polled, ok := s.poll(ref)
		if !ok || !polled.Sealed && !polled.More {
			return
		}
		if !polled.Sealed {
			continue
		}
		s.meanwhile()
		if s.chance(8) && !s.loading {
			s.say("nobody goes on with %v", ref)
			return
		}
		done, ok := s.finish(ref)
		if !ok || !done.More {
			return
		}
		object := ref.Object
		ref = done.Next
		ref.Object = object
	}
	fail("the batches of %s do not end", ref.Object)
}

// sealed notes what a batch has read, at the moment at which it has.
func (s *ledgerScript) sealed(ref flow.BatchRef) {
	if s.readings[s.name(ref)] == nil {
		s.readings[s.name(ref)] = s.clerk.read(ref.Object)
		s.refs = append(s.refs, ref)
	}
}

func (s *ledgerScript) poll(ref flow.BatchRef) (result flow.PollResult, ok bool) {
	for {
		s.pass(40 * time.Millisecond)
		point := s.point(pollPoints)
		err := s.performer.run(point, flow.Poll.Name, ref, &result)
		again, over := s.over(fmt.Sprintf("Poll %v", ref), err)
		switch {
		case again:
			if point == crashpoint.BatchStaged {
				s.sealed(ref)
			}
			s.meanwhile()
			continue
		case over:
			s.drop(ref)
			return result, false
		case result.Sealed:
			s.sealed(ref)
		}
		s.say("Poll %v: %+v", ref, result)
		return result, true
	}
}

// drop forgets a batch that is fenced: what it has read comes to nothing.
func (s *ledgerScript) drop(ref flow.BatchRef) {
	s.refs = slices.DeleteFunc(s.refs, func(r flow.BatchRef) bool { return s.name(r) == s.name(ref) })
	delete(s.readings, s.name(ref))
}

// finish transforms and applies a batch that is sealed.
func (s *ledgerScript) finish(ref flow.BatchRef) (done flow.UpsertResult, ok bool) {
	for {
		for range 1 + s.g.IntN(2) {
			var t flow.TransformResult
			if _, over := s.over(fmt.Sprintf("Transform %v", ref), s.performer.run("", flow.Transform.Name, ref, &t)); over {
				s.drop(ref)
				return done, false
			}
		}
		s.meanwhile()
		if s.chance(15) {
			s.say("PostgreSQL crashed: staged is empty")
			s.d.exec(s.t.Context(), `truncate staged`)
		}
		for again := true; again; {
			var err error
			if err = s.upsert(ref, &done); fault.Is(err, fault.Stale) {
				break // Transform again
			}
			var over bool
			if again, over = s.over(fmt.Sprintf("Upsert %v", ref), err); over {
				s.drop(ref)
				return done, false
			}
			if !again {
				return done, true
			}
			s.meanwhile()
		}
	}
}

// upsert asks for a batch to be applied, once. The clerk hears of it when it is committed, whether anybody
// was told or not.
func (s *ledgerScript) upsert(ref flow.BatchRef, done *flow.UpsertResult) error {
	s.pass(40 * time.Millisecond)
	name := s.name(ref)
	_, before := s.applied[name]
	point := s.point(upsertPoints)
	err := s.performer.run(point, flow.Upsert.Name, ref, done)
	switch {
	case errors.Is(err, errDied) && point == crashpoint.AfterCommit && !before:
		s.applied[name] = flow.Counts{Rows: -1} // nobody knows
		s.clerk.apply(synced, s.readings[name], s.time)
	case err != nil:
	case !before:
		check(!done.Again, "batch %v is said to have been applied before", ref)
		s.applied[name] = done.Counts
		s.clerk.apply(synced, s.readings[name], s.time)
	default:
		counts := s.applied[name]
		check(done.Again && (counts.Rows < 0 || counts == done.Counts), "batch %v was applied with %+v, and once more with %+v", ref, counts, done)
		s.applied[name] = done.Counts
		if s.clerk.bent == "retry" {
			for id := range s.readings[name] {
				s.clerk.charge(synced, hexOf(id), s.time)
			}
		}
	}
	if err == nil {
		s.say("Upsert %v: %+v", ref, done)
	}
	s.did["batches"]++
	return err
}

// repeat does an activity of a batch of long ago once more, or all of them.
func (s *ledgerScript) repeat() {
	if len(s.refs) == 0 {
		return
	}
	ref := one(s.g, s.refs)
	if s.chance(2) {
		if result, ok := s.poll(ref); !ok || !result.Sealed {
			return
		}
	}
	s.finish(ref)
}

func (s *ledgerScript) resync() {
	if s.id == "" {
		return
	}
	for _, object := range s.spec.Objects {
		must(s.d.db.RequestResync(s.t.Context(), s.id, object.Object, time.Time{}, time.Time{}, "a script asked"), "ask for a resync")
	}
}

// edit changes the file: everything is read again, and who is at work on what was read before must not write.
func (s *ledgerScript) edit() {
	if s.id == "" {
		return
	}
	for i := range s.spec.Objects {
		p := &s.spec.Objects[i].Properties[0]
		if p.Name += " again"; len(p.Name) > 40 {
			p.Name = "Anew"
		}
	}
	_, err := s.d.db.ApplyIntegration(s.t.Context(), s.spec)
	must(err, "apply the file")
	s.say("the file changes")
}

// backfill reads an object once more in bulk, when nothing else is left to read.
func (s *ledgerScript) backfill() {
	s.quiet()
	object := one(s.g, s.spec.Objects).Object
	must(s.d.db.RequestBackfill(s.t.Context(), s.id, object, time.Time{}, time.Time{}, "a script asked"), "ask for a backfill")
	s.load(object)
}

// quiet goes on until nothing is left to do.
func (s *ledgerScript) quiet() {
	for range 60 {
		quiet := s.round()
		s.pass(4 * time.Second)
		if quiet && len(s.clerk.unread(synced)) == 0 {
			return
		}
	}
	fail("there is always something to do; unread: %v", s.clerk.unread(synced))
}

// older leaves some texts as an older release would have cleaned them. Nobody but who turns the triggers off can do that.
func (s *ledgerScript) older() {
	comments := s.clerk.of(synced)
	for _, id := range slices.Sorted(maps.Keys(comments)) {
		if e := comments[id]; e.there && !e.deleted && e.seen.version > 0 && s.chance(2) {
			s.forget(id)
		}
	}
}

func (s *ledgerScript) forget(id string) {
	was := "left by an older release: " + s.words()
	s.clerk.forgets(synced, id, was)
	s.d.exec(s.t.Context(), `
		with place as (select s.id as source_id from sources s join projects p on p.id = s.project_id where p.name || '/' || s.name = $1),
		older as (
			update revisions r set texts = jsonb_build_array(jsonb_build_object('body', $3::text)), text_hash = sha256(convert_to($3, 'UTF8')), cleaning_version = 1
			from place, comments c
			where r.source_id = place.source_id and r.comment_id = $2 and (c.source_id, c.id, c.revision) = (r.source_id, r.comment_id, r.revision)
			returning r.source_id, r.comment_id, r.revision, r.text_hash)
		update comments c set text_hash = o.text_hash, changed = pg_current_xact_id() from older o where (c.source_id, c.id) = (o.source_id, o.comment_id)`, synced, id, was)
	s.say("%s is as an older release left it", id)
}

// retransform makes the texts of an object anew.
func (s *ledgerScript) retransform() {
	if s.id == "" {
		return
	}
	s.older()
	object := one(s.g, s.spec.Objects).Object
	must(s.d.db.RequestRetransform(s.t.Context(), s.id, object, clean.Version), "ask for a retransform")
	for {
		point := ""
		if s.chance(2) {
			point = crashpoint.BeforeCommit
		}
		var r flow.RetransformResult
		again, over := s.over("RetransformStep", s.performer.run(point, flow.RetransformStep.Name, flow.RetransformParams{Project: s.spec.Project, Integration: s.spec.Integration}, &r))
		if again {
			s.wait()
			continue
		}
		check(!over && !r.Open, "the retransform does not end: %+v", r)
		s.say("retransform %s: %+v", object, r)
		if !slices.ContainsFunc(r.Objects, func(p flow.RetransformProgress) bool { return p.Object == object && p.State == store.RetransformDone }) {
			return // the object has no plan yet
		}
		before := s.clerk.total()
		s.clerk.remake(synced, object, s.time)
		s.did["units for texts anew"] += int(s.clerk.total() - before)
		return
	}
}

// ---------------------------------------------------------------- clients

// client is one request that writes, or is refused.
func (s *ledgerScript) client() {
	source := one(s.g, append(slices.Clone(written), synced))
	if source == synced && s.id != "" {
		id := "client-1"
		if known := slices.Sorted(maps.Keys(s.clerk.of(synced))); len(known) > 0 && s.chance(2) {
			id = one(s.g, known)
		}
		for _, r := range []struct{ method, path, body string }{
			{http.MethodPost, sourcePath(synced) + "/sync", batchOf(id, "refused", 1, "")},
			{http.MethodPut, privatePath(synced), batchOf(id, "refused", 1, "")},
			{http.MethodDelete, sourcePath(synced) + "/comments?id=" + id, ""},
		} {
			status, raw, err := s.performer.ask("", r.method, r.path, r.body, s.token)
			must(err, "write into a synced source")
			check(status == http.StatusConflict, "%s into a source that an integration feeds: %d %s", r.method, status, raw)
		}
		return
	}
	s.write(source)
}

// write is a request that is sent until it is answered.
func (s *ledgerScript) write(source string) {
	id := fmt.Sprintf("client-%d", s.g.IntN(6))
	if source == synced {
		var alive []string
		for id, e := range s.clerk.of(synced) {
			if e.there && !e.deleted {
				alive = append(alive, id)
			}
		}
		if slices.Sort(alive); len(alive) > 0 && s.chance(2) {
			id = one(s.g, alive)
		}
	}
	written := fmt.Sprintf("text %d of a client", s.g.IntN(3))
	switch s.g.IntN(4) {
	case 0, 1:
		s.deliver(http.MethodPost, sourcePath(source)+"/sync", batchOf(id, written, s.g.IntN(2), ""), []int{http.StatusOK}, func() {
			s.clerk.write(source, id, written, s.time)
		})
	case 2:
		version := ""
		if e := s.clerk.of(source)[id]; e.there {
			_, raw, err := s.performer.ask("", http.MethodGet, sourcePath(source)+"/comments/"+id, "", s.token)
			must(err, "read a comment")
			var got struct{ Comment struct{ Context string } }
			must(json.Unmarshal(raw, &got), "read a comment: "+string(raw))
			check(got.Comment.Context != "", "a comment has no context: %s", raw)
			version = got.Comment.Context
		}
		s.deliver(http.MethodPut, privatePath(source), batchOf(id, written, s.g.IntN(2), version), []int{http.StatusOK, http.StatusConflict}, func() {
			s.clerk.write(source, id, written, s.time)
		})
	default:
		s.deliver(http.MethodDelete, sourcePath(source)+"/comments?id="+id, "", []int{http.StatusOK}, func() { s.clerk.remove(source, id) })
	}
}

// deliver sends a request until it is answered; done is called once, when it is committed. The first answer is 200: what else it may be
// is the answer to a request that was committed before.
func (s *ledgerScript) deliver(method, path, body string, may []int, done func()) {
	committed := false
	for {
		s.pass(40 * time.Millisecond)
		point := ""
		if method != http.MethodDelete {
			point = s.point(upsertPoints)
		}
		status, raw, err := s.performer.ask(point, method, path, body, s.token)
		s.say("%s %s %s: %d %s %v", method, path, body, status, raw, err)
		if err == nil && !committed || point == crashpoint.AfterCommit && errors.Is(err, errDied) && !committed {
			check(err != nil || status == http.StatusOK, "%s %s %s: %d %s", method, path, body, status, raw)
			committed = true
			done()
		}
		if err == nil {
			check(slices.Contains(may, status), "%s %s %s: %d %s", method, path, body, status, raw)
			if s.chance(4) && method != http.MethodPut { // the answer did not arrive
				s.wait()
				continue
			}
			return
		}
		if s.chance(2) {
			s.wait()
		}
	}
}

func sourcePath(source string) string { return "/api/v1/sources/" + url.PathEscape(source) }
func privatePath(source string) string {
	return "/api/_private/sources/" + url.PathEscape(source) + "/comments"
}

// batchOf is a batch of one comment as a client sends it.
func batchOf(id, text string, n int, version string) string {
	c := map[string]any{"id": id, "timestamp": "2024-01-01T12:00:00Z", "messages": []any{map[string]any{"body": map[string]any{"text": text}}},
		"user_properties": map[string]any{"number:n": n}}
	if version != "" {
		c["context"] = version
	}
	return jsonOf(map[string]any{"comments": []any{c}})
}

// ---------------------------------------------------------------- the bill

// compare requires that the bill is the clerk's: the ledger, and its sums.
func (s *ledgerScript) compare() {
	ctx := s.t.Context()
	type line struct {
		Project, Source, Day string
		Units                int64
	}
	for _, sql := range []string{
		`select p.name as project, s.name as source, to_char(l.at at time zone 'UTC', 'YYYY-MM-DD') as day, sum(l.units)::bigint as units
			from ledger l join sources s on s.id = l.source_id join projects p on p.id = s.project_id group by 1, 2, 3`,
		`select s.project, s.name as source, to_char(d.day, 'YYYY-MM-DD') as day, sum(d.units)::bigint as units
			from ledger_days d join ledger_sources s using (source_id) group by 1, 2, 3`,
	} {
		units := map[due]int64{}
		for _, l := range rows[line](ctx, s.d, sql) {
			units[due{l.Project, l.Source, l.Day}] = l.Units
		}
		if have, want := linesOf(units), s.clerk.lines(); !slices.Equal(have, want) {
			charged := map[string]int64{}
			for _, c := range rows[struct {
				ID    string
				Units int64
			}](ctx, s.d, `select p.name || '/' || s.name || '/' || l.comment_id as id, sum(l.units)::bigint as units
				from ledger l join sources s on s.id = l.source_id join projects p on p.id = s.project_id group by 1`) {
				charged[c.ID] = c.Units
			}
			fail("the bill is\n  %s\nand should be\n  %s\n%s", strings.Join(have, "\n  "), strings.Join(want, "\n  "), strings.Join(s.clerk.differences(charged), "\n"))
		}
	}
}

// settle goes on until everything is read, reads it all once more, and requires that this costs nothing.
func (s *ledgerScript) settle() {
	s.quiet()
	s.compare()
	s.did["units"] += int(s.clerk.total())
	s.resync()
	s.quiet()
	s.compare()
}
