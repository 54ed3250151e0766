package poll_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
	"salesforcesync/internal/transform"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// clock is the org's time; tests move it by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// bench is a simulator, a database, and everything between them but Temporal.
type bench struct {
	*testing.T
	sim     *simforce.Server
	clock   *clock
	url     string
	db      *store.Store
	seed    *storetest.Seed
	orgs    *orgs
	svc     *poll.Service
	batches transform.Batches
	spec    config.Integration
	id      string
	source  string
}

// orgs makes clients and lets a test act while a query is under way.
type orgs struct {
	auth *oauth.Service
	mu   sync.Mutex
	asks []string
	then func(n int, q string) // after query number n was answered

	describes describes
	refuse    func(salesforce.Ask) error // answers of questions that Salesforce refuses; set before anything runs
	loseJob   func() bool                // whether the answer to the making of a bulk job gets lost
	results   func(locator string)       // before a page of a bulk job is asked for
}

// describes counts calls that carried questions to describe, these questions, and those
// that were answered "nothing changed".
type describes struct{ calls, parts, unchanged int }

func (o *orgs) Org(id string) poll.Salesforce { return asking{o.auth.Org(id), o} }

// refused is what Salesforce says to a question that a test lets it refuse; nil for others.
func (o *orgs) refused(ask salesforce.Ask) error {
	if o.refuse == nil {
		return nil
	}
	return o.refuse(ask)
}

func (o *orgs) during(then func(n int, q string)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asks, o.then = nil, then
}

func (o *orgs) asked() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.asks)
}

func (o *orgs) note(q string) {
	o.mu.Lock()
	o.asks = append(o.asks, q)
	n, then := len(o.asks), o.then
	o.mu.Unlock()
	if then != nil {
		then(n, q)
	}
}

type asking struct {
	*salesforce.Client
	orgs *orgs
}

func (a asking) Query(ctx context.Context, q string, o salesforce.QueryOptions) (salesforce.Page, error) {
	page, err := a.Client.Query(ctx, q, o)
	a.orgs.note(q)
	return page, err
}

func (a asking) CreateQueryJob(ctx context.Context, q string, all bool) (salesforce.Job, error) {
	job, err := a.Client.CreateQueryJob(ctx, q, all)
	if err == nil && a.orgs.loseJob != nil && a.orgs.loseJob() {
		return salesforce.Job{}, fault.New(fault.Transient, "the answer was lost")
	}
	return job, err
}

func (a asking) JobResults(ctx context.Context, id, locator string, maxRecords int, read func(salesforce.Results) error) error {
	if a.orgs.results != nil {
		a.orgs.results(locator)
	}
	return a.Client.JobResults(ctx, id, locator, maxRecords, read)
}

func (a asking) Together(ctx context.Context, asks []salesforce.Ask) ([]salesforce.Answer, error) {
	out, err := a.Client.Together(ctx, asks)
	for i := range out {
		if refused := a.orgs.refused(asks[i]); refused != nil {
			out[i].Err = refused
		}
	}
	var d describes
	for i, q := range asks {
		switch q := q.(type) {
		case salesforce.Subquery:
			a.orgs.note(q.SOQL)
		case salesforce.AskDescribe:
			d.calls = 1
			d.parts++
			if err == nil && out[i].Err == nil && !out[i].Modified {
				d.unchanged++
			}
		}
	}
	a.orgs.mu.Lock()
	a.orgs.describes.calls += d.calls
	a.orgs.describes.parts += d.parts
	a.orgs.describes.unchanged += d.unchanged
	a.orgs.mu.Unlock()
	return out, err
}

var (
	mailObject   = config.Object{Object: "EmailMessage", Preset: config.PresetEmail, Deleted: config.DeletedTombstone}
	surveyObject = config.Object{Object: "Survey_Response__c", Deleted: config.DeletedTombstone,
		Fields:     config.FieldMap{"timestamp": "Submitted__c", "body": "Feedback__c"},
		Properties: []config.Property{{Name: "Score", Path: "Score__c"}}}
	noteObject = config.Object{Object: "CaseComment", Deleted: config.DeletedTombstone,
		Fields: config.FieldMap{"timestamp": "CreatedDate", "body": "CommentBody"}}
)

func start(t *testing.T, o simforce.Options, objects ...config.Object) *bench {
	t.Helper()
	b := &bench{T: t, clock: &clock{t: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}}
	o.Clock = b.clock.now
	var err error
	b.sim, err = simforce.New(o)
	require.NoError(t, err)
	web := httptest.NewServer(b.sim)
	t.Cleanup(web.Close)
	b.url = web.URL
	b.sim.SetBaseURL(web.URL)
	u, err := url.Parse(web.URL)
	require.NoError(t, err)
	hosts, err := salesforce.NewHostPolicy([]string{u.Host})
	require.NoError(t, err)
	b.db, b.seed = storetest.NewSeed(t)
	b.orgs = &orgs{auth: &oauth.Service{Store: b.db, Hosts: hosts}}
	b.svc = &poll.Service{Store: b.db, Orgs: b.orgs, Listener: store.NewListener(), BulkFrom: -1}
	b.batches = transform.Batches{Store: b.db}
	b.spec = config.Integration{Project: "support", Integration: "prod", Source: "mail", PollInterval: config.DefaultPollInterval,
		Connection: config.Connection{InstanceURL: b.url, LoginURL: b.url, ConsumerKey: "3MVG9simforce", ConsumerSecret: "simforce-secret"},
		Objects:    objects}
	b.apply()
	return b
}

// connected is start with a grant and a good check.
func connected(t *testing.T, o simforce.Options, objects ...config.Object) *bench {
	t.Helper()
	b := start(t, o, objects...)
	b.grant()
	b.check()
	return b
}

func (b *bench) apply() store.ApplyResult {
	b.Helper()
	result, err := b.db.ApplyIntegration(b.Context(), b.spec)
	require.NoError(b, err)
	b.id = result.IntegrationID
	target, err := b.db.LoadTarget(b.Context(), "support", "prod")
	require.NoError(b, err)
	b.source = target.SourceID
	return result
}

func (b *bench) grant() {
	b.Helper()
	tokens, err := b.sim.Grant(simforce.SyncUser)
	require.NoError(b, err)
	acme := b.sim.Orgs()[0]
	require.NoError(b, b.db.SaveGrant(b.Context(), store.SalesforceGrant{IntegrationID: b.id, OrgID: acme.ID, UserID: acme.Users[simforce.SyncUser],
		Username: simforce.SyncUser, InstanceURL: b.url, Access: secret.Text(tokens.AccessToken), Refresh: secret.Text(tokens.RefreshToken)}))
}

// check requires that every object is good.
func (b *bench) check() {
	b.Helper()
	for _, o := range b.checked() {
		require.Empty(b, o.Problem, o.Object)
	}
}

func (b *bench) checked() map[string]flow.CheckedObject {
	b.Helper()
	result, err := b.svc.Check(b.Context(), flow.CheckParams{Project: "support", Integration: "prod"})
	require.NoError(b, err)
	out := map[string]flow.CheckedObject{}
	for _, o := range result.Objects {
		out[o.Object] = o
	}
	return out
}

func (b *bench) object(name string) store.TargetObject {
	b.Helper()
	target, err := b.db.LoadTarget(b.Context(), "support", "prod")
	require.NoError(b, err)
	o, ok := target.Object(name)
	require.True(b, ok, name)
	return *o
}

func (b *bench) plan(name string) poll.Plan {
	b.Helper()
	var p poll.Plan
	require.NoError(b, json.Unmarshal(b.object(name).Plan, &p))
	return p
}

// look is one tick of Watch.
func (b *bench) look(skip ...string) flow.WatchResult {
	b.Helper()
	result, err := b.svc.Watch(b.Context(), flow.WatchParams{Project: "support", Integration: "prod", Once: true, Skip: skip})
	require.NoError(b, err)
	return result
}

// next is the reference of an object's next batch.
func (b *bench) next(name string) flow.BatchRef {
	b.Helper()
	o := b.object(name)
	return flow.BatchRef{Stream: o.Stream, Epoch: o.Epoch, Seq: o.Seq + 1, Object: name}
}

// drain polls, transforms and applies batches from ref until there is no more.
func (b *bench) drain(ref flow.BatchRef) flow.Counts {
	b.Helper()
	var total flow.Counts
	for range 1000 {
		polled, err := b.svc.Poll(b.Context(), ref)
		require.NoError(b, err)
		if !polled.Sealed {
			if polled.More {
				continue
			}
			return total
		}
		done := b.finish(ref)
		total.Add(done.Counts)
		if !done.More {
			return total
		}
		ref = done.Next
	}
	require.FailNow(b, "the batches do not end")
	return total
}

// finish transforms and applies a sealed batch.
func (b *bench) finish(ref flow.BatchRef) flow.UpsertResult {
	b.Helper()
	_, err := b.batches.Transform(b.Context(), ref)
	require.NoError(b, err)
	done, err := b.db.Upsert(b.Context(), ref)
	require.NoError(b, err)
	require.Equal(b, done.Counts.Rows, done.Counts.Sum())
	return done
}

// sync does one round for every object with news, without waiting for anything.
func (b *bench) sync() (flow.Counts, bool) {
	b.Helper()
	result := b.look()
	require.Empty(b, result.Faults)
	var total flow.Counts
	for _, news := range result.News {
		total.Add(b.drain(news.Batch))
	}
	return total, result.Outcome == flow.OutcomeQuiet
}

// settle syncs until Watch is quiet; between rounds the org's clock moves and
// records that are to be read again later are due.
func (b *bench) settle() flow.Counts {
	b.Helper()
	var total flow.Counts
	for range 30 {
		counts, quiet := b.sync()
		total.Add(counts)
		b.clock.add(3 * time.Second)
		later := b.seed.Strings(`update rechecks set not_before = now() where not_before > now() returning record_id`)
		undone := b.seed.Strings(`select object from streams where lane = 'live' and verified_to is not null and compare_after <= now()
			union all select object from streams where lane = 'resync' and finished_at is null`)
		if quiet && len(later)+len(undone) == 0 {
			return total
		}
	}
	require.FailNow(b, "Watch is never quiet", "%+v", b.look())
	return total
}

func (b *bench) units() int64 {
	b.Helper()
	n, err := b.db.Units(b.Context(), b.source)
	require.NoError(b, err)
	return n
}

func (b *bench) create(object string, w simforce.Write) string {
	b.Helper()
	row, err := b.sim.CreateRecord(object, w)
	require.NoError(b, err)
	return row["Id"].(string)
}

func (b *bench) update(object, id string, fields simforce.Row) {
	b.Helper()
	_, err := b.sim.UpdateRecord(object, id, simforce.Write{Fields: fields})
	require.NoError(b, err)
}

func (b *bench) records(object string) []simforce.Row {
	b.Helper()
	rows, err := b.sim.Records("", object)
	require.NoError(b, err)
	return rows
}

// comment reads the comment of a record.
func (b *bench) comment(id string) comment.Comment {
	b.Helper()
	c, err := b.db.Comment(b.Context(), b.source, hex.EncodeToString([]byte(id)))
	require.NoError(b, err)
	return c.Comment
}

// comments reads all of them by id.
func (b *bench) comments() map[string]comment.Comment {
	b.Helper()
	out := map[string]comment.Comment{}
	q := store.CommentQuery{SourceID: b.source, Limit: 500}
	for {
		page, more, err := b.db.Comments(b.Context(), q)
		require.NoError(b, err)
		for _, c := range page {
			_, twice := out[c.ID] // NotContains would compare it with each key
			require.False(b, twice, c.ID)
			c.Timestamp = c.Timestamp.UTC()
			out[c.ID] = c.Comment
			q.After = &store.CommentKey{Timestamp: c.Timestamp, ID: c.ID}
		}
		if !more {
			return out
		}
	}
}

// same requires that the comments are what the simulator's mails should become.
func (b *bench) same() {
	b.Helper()
	parents := b.parents()
	got := b.comments()
	want := 0
	for _, m := range b.records("EmailMessage") {
		if m["IsDeleted"] == true || m["Status"] == "5" || m["IsPrivateDraft"] == true {
			continue
		}
		want++
		id := hex.EncodeToString([]byte(m["Id"].(string)))
		c, ok := got[id]
		require.True(b, ok, "mail %s of %v is missing", m["Id"], m["SystemModstamp"])
		require.Equal(b, b.expected(m, parents), c, "mail %s", m["Id"])
	}
	require.Len(b, got, want)
}

func text(r simforce.Row, field string) string { s, _ := r[field].(string); return s }

// parents are the rows that the presets show something of, by Id.
func (b *bench) parents() map[string]simforce.Row {
	b.Helper()
	out := map[string]simforce.Row{}
	for _, object := range []string{"Case", "Account", "Contact", "User", "Group"} {
		for _, r := range b.records(object) {
			out[r["Id"].(string)] = r
		}
	}
	return out
}

// ofCase are the properties that comments have of their case.
func ofCase(c simforce.Row, parents map[string]simforce.Row) comment.Properties {
	out := comment.Properties{}
	for name, field := range map[string]string{"Case Number": "CaseNumber", "Case Status": "Status", "Case Priority": "Priority", "Case Origin": "Origin"} {
		out.SetString(name, text(c, field))
	}
	out.SetString("Case Owner", text(parents[text(c, "OwnerId")], "Name"))
	out.SetString("Account", text(parents[text(c, "AccountId")], "Name"))
	return out
}

// domains are those of addresses, each once.
func domains(addresses []string) string {
	var out []string
	for _, a := range addresses {
		if _, d, ok := strings.Cut(strings.ToLower(strings.Trim(a[strings.LastIndexByte(a, '<')+1:], "<> ")), "@"); ok && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return strings.Join(out, ", ")
}

// expected is a mail as a comment, by the words of the contract.
func (b *bench) expected(m simforce.Row, parents map[string]simforce.Row) comment.Comment {
	sent := m["MessageDate"].(time.Time).UTC()
	line := func(s string) string {
		return strings.TrimSpace(strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, s))
	}
	list := func(field string) []string {
		if text(m, field) == "" {
			return nil
		}
		return strings.Split(text(m, field), "; ")
	}
	msg := comment.Message{From: text(m, "FromAddress"), To: list("ToAddress"), Cc: list("CcAddress"), Bcc: list("BccAddress"), SentAt: &sent}
	if name := line(text(m, "FromName")); name != "" && msg.From != "" {
		msg.From = name + " <" + msg.From + ">"
	} else if name != "" {
		msg.From = name
	}
	if s := line(text(m, "Subject")); s != "" {
		msg.Subject = &comment.Text{Text: s}
	}
	// How a mail is taken apart is package clean's own business.
	split := clean.Split(clean.Mail{Text: text(m, "TextBody"), HTML: text(m, "HtmlBody"), FromName: text(m, "FromName"), FromAddress: text(m, "FromAddress"), Subject: text(m, "Subject")})
	if msg.Body.Text = split.Reply; split.Signature != "" {
		msg.Signature = &comment.Text{Text: split.Signature}
	}
	thread := text(m, "ParentId")
	if thread == "" {
		thread = text(m, "ThreadIdentifier")
	}
	c := comment.Comment{ID: hex.EncodeToString([]byte(m["Id"].(string))), Timestamp: sent, ThreadID: hex.EncodeToString([]byte(thread)),
		Messages: []comment.Message{msg}, Properties: ofCase(parents[text(m, "ParentId")], parents)}
	c.Properties.SetString("Direction", map[bool]string{true: "inbound", false: "outbound"}[m["Incoming"] == true])
	c.Properties.SetString("Has Attachments", strconv.FormatBool(m["HasAttachment"] == true))
	c.Properties.SetString("Record URL", b.url+"/"+m["Id"].(string))
	c.Properties.SetString("Sender Domain", domains([]string{msg.From}))
	if c.Properties.SetString("Recipient Domain", domains(msg.To)); len(msg.To) == 0 {
		c.Properties.SetString("Recipient Domain", domains(msg.Cc))
	}
	return c
}
