package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

const prod = "/integrations/support/prod"

// atWork is an integration with one object, and all that can be said of it.
func (b *bench) atWork() (integration, source string) {
	b.t.Helper()
	project := b.seed.Project("support")
	source = b.seed.Source(project, "emails")
	integration = b.seed.Integration(project, source, "prod", "idle", "", "")
	b.seed.Exec(`update integrations set spec = '{"poll_interval": "10s", "monthly_unit_cap": 10, "quota": {"share": "20%", "reserve": "10%"},
		"connection": {"instance_url": "https://acme.my.salesforce.com"}}' where id = $1`, integration)
	b.seed.Exec(`insert into connections (integration_id, instance_url, login_url, consumer_key, state, org_id, user_id, username, access_token, token_instance_url)
		values ($1, 'https://acme.my.salesforce.com', '', 'key', 'granted', '00D000000000001AAA', '005000000000001AAA', 'sync@acme.example', 'sealed', 'https://acme.my.salesforce.com')`, integration)
	b.seed.Exec(`insert into objects (integration_id, name, position, spec, state, plan) values ($1, 'EmailMessage', 1, '{}', 'ok',
		'{"cursor": {"says": "followed by SystemModstamp"}, "notes": ["a note of the plan"]}')`, integration)
	b.seed.Exec(`insert into streams (integration_id, object, lane, epoch, seq, verified_to, salesforce_rows, stored_rows, counted_to, counted_at)
		values ($1, 'EmailMessage', 'live', 1, 3, '2026-11-25T12:00:00Z', 1234, 1230, now(), now())`, integration)
	b.seed.Exec(`
		insert into batches (stream_id, epoch, seq, state, rows, created, text_changed, units, checksum, read_begin, read_end, begun_at, applied_at, to_stamp, to_id)
		select s.id, 1, b.seq, 'applied', b.created + b.changed, b.created, b.changed, b.created + b.changed, '\x00', 1, 2, now(), '2026-11-25T12:00:00Z'::timestamptz + b.took * interval '1 second',
		       '2026-11-25T12:00:00Z'::timestamptz - (4 - b.seq) * interval '1 minute', '02s' || b.seq
		  from streams s, (values (1, 11, 0, -180), (2, 21, 1, -112), (3, 31, 0, -56)) b (seq, created, changed, took)`)
	return integration, source
}

// user with these permissions on the project, signed in.
func (b *bench) signedIn(email string, permissions ...string) *browser {
	b.t.Helper()
	var grants []store.Grant
	for _, p := range permissions {
		grants = append(grants, store.Grant{Project: "support", Permission: p})
	}
	b.user(email, grants...)
	br := b.browser()
	br.signIn(email, "/")
	return br
}

func contains(t *testing.T, html string, want ...string) {
	t.Helper()
	for _, w := range want {
		require.True(t, strings.Contains(html, w), "it lacks %q", w)
	}
}

func TestThePageOfAnIntegration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.web.temporalUI, b.web.namespace = "https://temporal.acme.example", "default"
	id, source := b.atWork()
	now := time.Now().UTC()
	for i, ago := range []time.Duration{time.Minute, 2 * time.Minute, 50 * time.Hour} {
		b.seed.Mail(source, string(rune('a'+i)), now.Add(-ago), "Hello", "text")
	}
	b.seed.Exec(`insert into quota_orgs (org_id, org_used, org_max, told_at) values ('00D000000000001AAA', 41234, 100000, now())`)
	b.seed.Exec(`insert into quota_calls (org_id, bucket, calls) values ('00D000000000001AAA', date_bin('10 min', now(), '2001-01-01Z'), 77)`)
	b.seed.Exec(`insert into quota_paces (integration_id, wanted, paced, calls, spent, reason, paced_at) values ($1, '10s', '94.6s', 1.5, 2, '20% of a lot', now())`, id)
	b.seed.Exec(`insert into set_aside (source_id, object, record_id, reason) select $1, 'EmailMessage', '02s' || lpad(g::text, 2, '0'), 'no text in <b>' || g from generate_series(1, 12) g`, source)
	b.seed.Exec(`insert into ledger_days (source_id, day, integration, object, lane, reason, units) values ($1, (now() at time zone 'UTC')::date, 'prod', 'EmailMessage', 'live', 'created', 7)`, source)
	b.seed.Exec(`insert into completeness (stream_id, month, salesforce_rows, rows) select id, '2026-11-01', 1234, 1230 from streams`)

	br := b.browser()
	br.signIn(adminEmail, "/")
	html := br.get(prod).html
	contains(t, html, `<h1>prod</h1>`, `<span class="badge ok">Up to date</span>`,
		// Volumes, freshness, latency, pace.
		`<dt>Comments</dt><dd class="figure">3</dd>`, `<dt>Last 24 hours</dt><dd class="figure">2</dd>`, `<time datetime="2026-11-25T12:00:00Z" data-ago>`,
		`instead of 10s: quota, 20% of a lot`, `4s <span class="soft small">half of the time, 8s at most`, `sync@acme.example`,
		// Completeness.
		`Salesforce has <strong>1,234</strong>, here are <strong>1,230</strong>`, `4 are missing; they are being looked for.`, `value="99" class="waits"`, `Records missing`,
		`followed by SystemModstamp`, `a note of the plan`, `<th scope="row">November 2026</th><td class="figure">1,234</td><td class="figure">1,230</td>`,
		// Charts.
		`Comments per hour</strong><span class="soft figures">2 in all`, `Comments per day</strong><span class="soft figures">3 in all`, `API requests of ours per hour</strong><span class="soft figures">77 in all`,
		// Quota and its forecast.
		`41,234 of 100,000`, `77 of 20,000`, `Looking every 1m35s comes to 1,370 requests a day without news`, `>7 of 10</span>`,
		// Skipped records, with where they are.
		`<a href="https://acme.my.salesforce.com/02s01" rel="noreferrer">02s01</a>`, `no text in &lt;b&gt;1</bdi>`, `12 in all.`, `href="/integrations/support/prod?skipped=EmailMessage%2F02s10#skipped"`,
		// Runs.
		`<td class="word">news</td><td class="figure">22</td><td class="figure">21</td><td class="figure">1</td>`,
		// Where Temporal shows it.
		`<a class="small" href="https://temporal.acme.example/namespaces/default/workflows/integration%2Fsupport%2Fprod" rel="noreferrer">`,
		// What may be done.
		`action="/integrations/support/prod/pause"`, `action="/integrations/support/prod/sync-now"`, `name="object" value="EmailMessage"`,
		`href="/integrations/support/prod/oauth2/authenticate">Reconnect Salesforce</a>`, `href="/integrations/support/prod/settings"`,
	)
	for _, never := range []string{"style=", "no text in <b>", "02s11", "Resume", "<h2 id=\"delivery\">"} {
		require.NotContains(t, html, never)
	}
	second := br.get(prod + "?skipped=EmailMessage%2F02s10").html
	contains(t, second, "02s11", "02s12", `<a href="/integrations/support/prod#skipped">First</a>`)
	require.NotContains(t, second, "02s10<")
	for _, odd := range []string{"x", "/", "%00/%00", "EmailMessage/%27", strings.Repeat("a", 5000) + "/b"} {
		require.Equal(t, http.StatusOK, br.get(prod+"?skipped="+odd).StatusCode, odd)
	}

	// It moves, and what an operator wants and what stands in the way shows at once.
	b.seed.Exec(`update integrations set desired = 'paused', status = 'paused', status_reason = 'paused by an operator', status_hint = 'run ` + "`starter resume support/prod`" + `'`)
	live := br.live(prod)
	contains(t, live, "Paused</span>", "resume it with the button on its page", `action="/integrations/support/prod/resume"`)
	require.NotContains(t, live, "<html")
	require.NotContains(t, live, "/pause\"")
	b.seed.Exec(`update integrations set desired = 'running', status = 'awaiting_authorization', status_reason = 'the grant was revoked', status_hint = 'run ` + "`starter connect support/prod` and open the link to connect again" + `'`)
	b.seed.Exec(`update connections set state = 'lost', lost_reason = 'the grant was revoked', access_token = ''`)
	live = br.live(prod)
	contains(t, live, "Awaiting authorization", "authorize it in Salesforce with the button on its page", `<a class="button" href="/integrations/support/prod/oauth2/authenticate">`)
	require.NotContains(t, live, "sync-now")
	require.Equal(t, 1, strings.Count(live, "the grant was revoked"))

	// A first load has a bar, and nothing says that the object is complete.
	load := b.seed.Backfill(id, "EmailMessage", true, 300_000)
	b.seed.Part(load, 162_000, store.PartReady, false)
	b.seed.Exec(`update connections set state = 'granted', access_token = 'sealed'`)
	live = br.live(prod)
	contains(t, live, "First load of EmailMessage</strong>", `max="100" value="54"></progress>`, "2,700 a second · about 51 seconds left", "Loading</span>",
		"not before the first load is done", "not known before EmailMessage is complete", `workflows/backfill%2Fsupport%2Fprod%2FEmailMessage"`)
	require.NotContains(t, live, `action="/integrations/support/prod/backfill"`, "one at a time")
	require.NoError(t, b.db.EndBackfill(t.Context(), load, store.BackfillDone))
	contains(t, br.live(prod), "First load of EmailMessage</strong> is done", "162,000 rows in ", "162,000 new comments")

	b.seed.Exec(`update integrations set desired = 'deleted'`)
	require.Equal(t, http.StatusNotFound, br.get(prod).StatusCode)
}

// One that was made a moment ago says what to do, and counts nothing.
func TestThePageOfANewIntegration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project := b.seed.Project("support")
	b.seed.Integration(project, b.seed.Source(project, "emails"), "prod", "awaiting_authorization", "Salesforce is not connected yet", "run `starter connect support/prod`")
	br := b.browser()
	br.signIn(adminEmail, "/")
	html := br.get(prod).html
	contains(t, html, "Authorize in Salesforce</a>", "No objects are configured yet.", "Choose them in the settings.", "Nothing yet.", "Every record that was read is a comment.", "Nothing was read yet.",
		"Nobody has changed anything yet.", "no news yet", "not connected", "is known when Salesforce is connected", "A forecast needs a full day behind it.")
	require.NotContains(t, html, "Workflow in Temporal")
	require.NotContains(t, html, "sync-now")
}

func TestWhatOneMaySeeOfAnIntegration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, source := b.atWork()
	b.seed.Mail(source, "a", time.Now(), "Hello", "text")
	b.seed.Exec(`insert into records (source_id, object, record_id, stamp, read_begin, read_end, record_digest, text_digest, state, comment_id)
		values ($1, 'EmailMessage', '02s01', now(), 1, 2, '', '', 'set_aside', 'it/was')`, source)
	b.seed.Exec(`insert into set_aside (source_id, object, record_id, reason) values ($1, 'EmailMessage', '02s01', 'no text')`, source)
	admin := b.browser()
	admin.signIn(adminEmail, "/")
	contains(t, admin.get(prod).html, `<a href="/comments/support/emails/it%2Fwas">`, `<a href="/comments?source=support/emails">`)

	reader := b.signedIn("reader@example.com", access.IntegrationsRead)
	html := reader.get(prod).html
	contains(t, html, "Salesforce has <strong>1,234</strong>", "02s01", "The comment that it was")
	for _, never := range []string{"<form class=\"inline\"", "/settings", "Comments per hour", "AI units in", "<dt>Comments</dt>", "/comments/support", "/comments?", "oauth2"} {
		require.NotContains(t, html, never)
	}
	require.NotContains(t, reader.live(prod), "Comments per hour")
	for _, action := range []string{"pause", "resume", "sync-now", "backfill"} {
		got := reader.post(prod+"/"+action, nil)
		require.Equal(t, http.StatusForbidden, got.StatusCode)
		require.Contains(t, got.html, access.IntegrationsWrite)
	}
	analyst := b.signedIn("analyst@example.com", access.SourcesRead)
	require.Equal(t, http.StatusForbidden, analyst.get(prod).StatusCode)
	res := analyst.stream(prod, "")
	defer res.Body.Close()
	require.Equal(t, http.StatusForbidden, res.StatusCode)

	// A stranger is told what is told of what does not exist.
	stranger := b.browser()
	_, err := b.access.CreateUser(t.Context(), "stranger@example.com", password, nil)
	require.NoError(t, err)
	stranger.signIn("stranger@example.com", "/")
	require.Contains(t, stranger.get(prod).html, "There is no integration support/prod.")
	require.Contains(t, admin.get("/integrations/support/none").html, "There is no integration support/none.")
	require.Equal(t, http.StatusNotFound, stranger.post(prod+"/pause", nil).StatusCode)
	require.Equal(t, http.StatusSeeOther, b.browser().post(prod+"/pause", nil).StatusCode)
}

// recorder is an Operator that says what it was asked for.
type recorder struct {
	noOperator
	asked []string
	err   error
	pause func(context.Context) error // nil = nothing
}

func (r *recorder) note(what ...string) error {
	r.asked = append(r.asked, strings.Join(what, " "))
	return r.err
}
func (r *recorder) Pause(ctx context.Context, project, name string) error {
	if r.pause != nil {
		return r.pause(ctx)
	}
	return r.note("pause", project, name)
}
func (r *recorder) Resume(_ context.Context, project, name string) error {
	return r.note("resume", project, name)
}
func (r *recorder) SyncNow(_ context.Context, project, name string) error {
	return r.note("sync-now", project, name)
}
func (r *recorder) DeliverAgain(_ context.Context, project, name string) error {
	return r.note("deliver-again", project, name)
}
func (r *recorder) Backfill(_ context.Context, project, name, object string) error {
	return r.note("backfill", project, name, object)
}

func (r *recorder) ResumeBackfill(_ context.Context, project, name, object string) error {
	return r.note("resume-backfill", project, name, object)
}

func TestButtonsOfAnIntegration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.atWork()
	hand := &recorder{}
	b.web.hand = hand
	br := b.browser()
	br.signIn(adminEmail, "/")
	for _, tt := range []struct{ action, object, asked, said string }{
		{"pause", "", "pause support prod", "support/prod is paused"},
		{"resume", "", "resume support prod", "support/prod goes on where it was"},
		{"sync-now", "", "sync-now support prod", "support/prod looks for news now"},
		{"deliver-again", "", "deliver-again support prod", "support/prod sends all comments to the tenant again"},
		{"backfill", "EmailMessage", "backfill support prod EmailMessage", "support/prod reads all records again"},
		{"backfill/resume", "EmailMessage", "resume-backfill support prod EmailMessage", "support/prod goes on with the load where it was"},
	} {
		got := br.post(prod+"/"+tt.action, url.Values{"object": {tt.object}})
		require.Equal(t, http.StatusSeeOther, got.StatusCode)
		require.Equal(t, prod, got.Header.Get("Location"))
		contains(t, br.get(prod).html, `class="notice success"`, tt.said)
		require.NotContains(t, br.get(prod).html, "notice success", "once")
		require.Equal(t, tt.asked, hand.asked[len(hand.asked)-1])
	}
	for _, err := range []error{
		fault.New(fault.Conflict, "a backfill of EmailMessage is under way").WithHint("wait until it is done"),
		fault.New(fault.Unreachable, "it is noted; Temporal does not answer").WithHint("it goes on when Temporal is back"),
	} {
		hand.err = err
		require.Equal(t, prod, br.post(prod+"/backfill", url.Values{"object": {"EmailMessage"}}).Header.Get("Location"))
		contains(t, br.get(prod).html, `class="notice error" role="alert"`, sentence(err), hintSentence(err))
	}
	hand.err = fault.New(fault.NotFound, "the integration has no object %s", "<None>")
	contains(t, br.post(prod+"/backfill", url.Values{"object": {"<None>"}}).html, "no object &lt;None&gt;")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+prod+"/pause", strings.NewReader(strings.Repeat("a", 1<<20)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, http.StatusRequestEntityTooLarge, br.send(req).StatusCode)
	// A form of another site does nothing.
	asked := len(hand.asked)
	req, err = http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+prod+"/pause", nil)
	require.NoError(t, err)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, br.send(req).StatusCode)
	require.Len(t, hand.asked, asked)
}

func TestDeliveryOfAnIntegration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.web.temporalUI, b.web.namespace = "https://temporal.acme.example", "default"
	id, source := b.atWork()
	b.seed.Mail(source, "a", time.Now(), "Hello", "text")
	b.seed.Exec(`insert into deliveries (integration_id, source_id, endpoint, project, source, token, state, reason, hint, said, counts, tenant_comments, own_comments, compared_at)
		values ($1, $2, 'https://tenant.example', 'their', 'mails', '', 'backing_off', 'the tenant answers 503', 'run `+"`starter sync-now`"+`', 'secret <said>',
		        '{"sent": 1234, "new": 1200, "updated": 30, "unchanged": 4, "deleted": 2}', 90, 100, now())`, id, source)
	b.seed.Exec(`insert into undeliverable (integration_id, comment_id, message) values ($1, 'a', 'too long: <Hello>')`, id)
	br := b.browser()
	br.signIn(adminEmail, "/")
	contains(t, br.get(prod).html, `<bdi>their/mails</bdi> <span class="soft">at https://tenant.example</span>`, `Backing off</span>`, "the tenant answers 503", "press Sync now",
		"secret &lt;said&gt;", "<dt>Behind</dt><dd>1 ", "<dd>1,234</dd>", "10 were deleted there.", `action="/integrations/support/prod/deliver-again"`,
		"1 comment is refused", "<code>a</code> <bdi>too long: &lt;Hello&gt;</bdi>", "workflows/delivery%2Fsupport%2Fprod")

	// What the tenant says may repeat a comment.
	html := b.signedIn("reader@example.com", access.IntegrationsRead).get(prod).html
	contains(t, html, "the tenant answers 503", "1 comment is refused")
	for _, never := range []string{"too long", "said", "deliver-again"} {
		require.NotContains(t, html, never)
	}
}

// What was done to an integration is told to all who may see it; by whom, to those who may see users.
func TestHistoryOfAnIntegration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, _ := b.atWork()
	ctx := store.WithActor(t.Context(), store.Actor{Kind: store.ActorUser, Name: "ann@example.com"})
	require.NoError(t, b.db.SetDesired(ctx, id, store.DesiredPaused))
	require.NoError(t, b.db.RequestSync(ctx, id))
	require.NoError(t, b.db.RequestBackfill(store.WithActor(t.Context(), store.Actor{Kind: store.ActorToken, Name: "<bob>@example.com"}), id, "EmailMessage", time.Time{}, time.Time{}, ""))
	b.seed.Exec(`insert into audit_events (type, actor, actor_name, project_ids, details) select 'integration.applied', 'starter', 'root', array[project_id],
		'{"integration": "support/prod", "version": 7, "changed": ["objects[EmailMessage].where", "<x>"]}' from integrations`)
	b.seed.Exec(`insert into audit_events (type, actor, actor_name, project_ids, details) values ('integration.applied', 'starter', 'of another project', '{}', '{"integration": "support/prod"}')`)
	br := b.browser()
	br.signIn(adminEmail, "/")
	html := br.get(prod).html
	contains(t, html, "<bdi>ann@example.com</bdi> paused it", "<bdi>A token of &lt;bob&gt;@example.com</bdi> asked for all records of EmailMessage to be read again",
		"<bdi>root at the command line</bdi> changed the configuration", "version 7", "<code>objects[EmailMessage].where</code>", "<code>&lt;x&gt;</code>")
	require.NotContains(t, html, "of another project")
	require.NotContains(t, html, "sync requested")
	require.Less(t, strings.Index(html, "changed the configuration"), strings.Index(html, "paused it"), "newest first")

	// Who presses a button is who did it.
	b.web.hand = &recorder{pause: func(ctx context.Context) error { return b.db.SetDesired(ctx, id, store.DesiredPaused) }}
	require.NoError(t, b.db.SetDesired(t.Context(), id, store.DesiredRunning))
	br.post(prod+"/pause", nil)
	contains(t, br.get(prod).html, "<bdi>The program itself</bdi> let it go on", "<bdi>"+adminEmail+"</bdi> paused it")

	html = b.signedIn("reader@example.com", access.IntegrationsRead).get(prod).html
	contains(t, html, "<bdi>A user</bdi> paused it", "<bdi>An operator at the command line</bdi> changed the configuration")
	require.NotContains(t, html, "ann@example.com")
}

func TestPageHint(t *testing.T) {
	t.Parallel()
	for hint, want := range map[string]string{
		"run `starter connect support/prod` and send the link to the Salesforce administrator": "authorize it in Salesforce with the button on its page",
		"nothing is lost: connect again once with `starter connect support/prod`":              "nothing is lost: connect again once with the button on its page",
		"connect again: `starter connect a/b`":                                                 "connect again: authorize it in Salesforce with the button on its page",
		"resume it with `starter resume a/b`":                                                  "resume it with the button on its page",
		"see what it says, then run `starter sync-now`":                                        "see what it says, then press Sync now",
		"run `starter check a/b`":                                                              "run `starter check a/b`",
		"":                                                                                     "",
	} {
		require.Equal(t, want, pageHint(hint))
	}
}
