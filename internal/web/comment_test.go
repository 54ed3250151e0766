package web

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

var commentNoon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// recordID is the Id of a record, and madeOf the id of the comment that is made of it.
const recordID = "02s5e00000AbCdEAAV"

var madeOf = hex.EncodeToString([]byte(recordID))

// indexed waits until the index of words has everything.
func (b *bench) indexed(sourceIDs ...string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		_, err := b.db.IndexWords(b.t.Context())
		require.NoError(b.t, err)
		for _, id := range sourceIDs {
			lag, err := b.db.WordsLag(b.t.Context(), id)
			require.NoError(b.t, err)
			if lag > 0 {
				return false
			}
		}
		return true
	}, time.Minute, 20*time.Millisecond)
}

// mail is an email as a comment.
func mail(id, thread string, at time.Time, subject, body string, properties comment.Properties) comment.Comment {
	return comment.Comment{
		ID: id, ThreadID: thread, Timestamp: at, Properties: properties,
		Messages: []comment.Message{{
			Subject: &comment.Text{Text: subject}, Body: comment.Text{Text: body}, From: "Ann <ann@example.com>", To: []string{"help@acme.example", "bob@acme.example"}, SentAt: &at,
		}},
	}
}

var linkForm = regexp.MustCompile(`<a [^>]*href="([^"]*)"`)

// links are the addresses on a page that begin with this.
func links(page, prefix string) []string {
	var out []string
	for _, m := range linkForm.FindAllStringSubmatch(page, -1) {
		if to := html.UnescapeString(m[1]); strings.HasPrefix(to, prefix) {
			out = append(out, to)
		}
	}
	return out
}

// next is the address of the next page; "" = there is none.
func next(page string) string {
	m := regexp.MustCompile(`rel="next" href="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

var keyForm = regexp.MustCompile(`data-key="([^"]*)"`)

func keys(page string) []string {
	var out []string
	for _, m := range keyForm.FindAllStringSubmatch(page, -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	return out
}

func TestCommentsAreSearched(t *testing.T) {
	t.Parallel()
	b := setup(t)
	br := b.browser()
	br.signIn(adminEmail, "/")
	require.Contains(t, br.get("/comments").html, "There is no source yet.")
	project := b.seed.Project("support")
	emails, chats := b.seed.Source(project, "emails"), b.seed.Source(project, "chats")
	require.Contains(t, br.get("/comments").html, "There are no comments yet.")

	// Two sources with comments of the same times and ids.
	var want []string
	for i := range 60 {
		for _, s := range []struct{ id, name string }{{emails, "emails"}, {chats, "chats"}} {
			if s.name == "chats" && i%2 == 1 {
				continue
			}
			id := fmt.Sprintf("%02d", i)
			b.seed.Comment(s.id, mail(id, "case/"+s.name, commentNoon.Add(time.Duration(i/3)*time.Hour), fmt.Sprintf("Rückfrage %d", i), strings.Repeat("filler ", 100)+"the invoice is past due <b>now</b>",
				comment.Properties{"string:Case Number": fmt.Sprintf("%08d", i/10), "string:Direction": []string{"inbound", "outbound"}[i%2], "number:Score": float64(i % 10), "string:Secret": "s3"}))
			want = append(want, "support/"+s.name+"/"+id)
		}
	}
	b.indexed(emails, chats)

	first := br.get("/comments").html
	for _, s := range []string{
		"90 comments", "Rückfrage 59", "Ann &lt;ann@example.com&gt;", "help@acme.example and 1 more", "support/emails", `<time datetime="2026-03-02T07:00:00Z">`,
		`<span class="way out">Sent</span>`, `<span class="soft"><bdi>Case Number</bdi></span> <bdi>00000005</bdi>`, `href="/comments/support/emails/59"`, `href="/threads/support/emails/case%2Femails"`,
		`<option>support/emails</option>`, `id="live"`, `<option value="Case Number">`,
	} {
		require.Contains(t, first, s)
	}
	require.NotContains(t, br.live("/comments"), "<html")
	require.Equal(t, http.StatusNotFound, br.stream("/comments?q=invoice", "").StatusCode, "a search is not asked again every two seconds")

	// Every page of every list, in both directions: all of it, once, in order.
	walk := func(path string) []string {
		t.Helper()
		var all []string
		for pages := 0; path != ""; pages++ {
			require.Less(t, pages, 20)
			page := br.get(path)
			require.Equal(t, http.StatusOK, page.StatusCode, page.html)
			all = append(all, keys(page.html)...)
			if path = next(page.html); pages > 0 {
				require.NotEmpty(t, links(page.html, "/comments"), "a way back to the first page")
			}
		}
		return all
	}
	for _, path := range []string{"/comments", "/comments?order=oldest", "/comments?q=invoice", "/comments?order=oldest&q=past-due+-paid"} {
		all := walk(path)
		require.Len(t, all, len(want), path)
		require.ElementsMatch(t, want, all, path)
		i := slices.Index(all, "support/emails/00")
		require.Equal(t, strings.Contains(path, "oldest"), i < 10, path)
	}
	require.Len(t, walk("/comments?source=support%2Fchats"), 30)
	require.Len(t, walk("/comments?direction=inbound&source=support%2Femails"), 30)
	require.Len(t, walk("/comments?property=string%3ACase+Number%3D00000003"), 15)
	require.Len(t, walk("/comments?property=number%3AScore%3D3.0&property=string%3ACase+Number%3D00000003"), 1)
	require.Len(t, walk("/comments?from=2026-03-02"), 36, "the days are UTC, and both are in")
	require.Len(t, walk("/comments?to=2026-03-01"), 54)
	require.Len(t, walk("/comments?from=2026-03-01T13:00:00Z&to=2026-03-01T13:00:00Z&source=support%2Femails"), 3)

	// What was found is marked, with what stands around it.
	found := br.get("/comments?q=ruckfrage+%22past+due%22&source=support%2Femails").html
	require.Contains(t, found, "60 comments found")
	require.Contains(t, found, "<mark>Rückfrage</mark> 59")
	require.Regexp(t, `<bdi>… (filler )+the invoice is <mark>past due</mark> &lt;b&gt;now&lt;/b&gt;</bdi>`, found)

	// One address for one search; a property is added by its name alone.
	require.Equal(t, "/comments?q=invoice", br.get("/comments?q=+invoice&source=&from=&to=&direction=&order=&name=&value=&junk=1").Header.Get("Location"))
	require.Equal(t, "/comments?property=number%3AScore%3D3&q=invoice", br.get("/comments?q=invoice&name=Score&value=3").Header.Get("Location"))
	require.Equal(t, "/comments?property=string%3ACase+Number%3D00000003", br.get("/comments?name=Case+Number&value=00000003").Header.Get("Location"))
	chip := br.get("/comments?property=string%3ACase+Number%3D00000003&q=invoice").html
	require.Contains(t, links(chip, "/comments?"), "/comments?q=invoice", "the way to take it away")

	// Each mistake is named at its field.
	for query, say := range map[string][2]string{
		"q=%22open":                     {"q", "The search has a &#34; that nothing closes."},
		"q=-paid":                       {"q", "needs a word to look for"},
		"from=yesterday":                {"from", "Write a day as 2026-01-31"},
		"from=2026-03-02&to=2026-03-01": {"to", "before the first day"},
		"direction=up":                  {"direction", "Choose received or sent."},
		"source=support%2Fnobody":       {"source", "There is no source of this name that you may read."},
		"property=Case":                 {"property", "want string:Name=value"},
		"name=Score&value=many":         {"value", "Write a number"},
	} {
		got := br.get("/comments?" + query)
		require.Equal(t, http.StatusBadRequest, got.StatusCode, query)
		require.Contains(t, got.html, `<span class="field-error" id="`+say[0]+`-error">`, query)
		require.Contains(t, got.html, say[1], query)
	}
	require.Equal(t, http.StatusBadRequest, br.get("/comments?after=eA").StatusCode)
	require.Contains(t, br.get("/comments?q=nothinglikethis").html, "No comment is like this.")

	// A reader sees no sensitive property, and cannot guess at it; what is deleted is not there.
	b.seed.Exec(`update sources set sensitive_properties = '{Secret,Direction}' where id = $1`, emails)
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now() where id = '58'`)
	b.user("reader@example.com", store.Grant{Project: "support", Permission: access.SourcesRead})
	b.user("nobody@example.com")
	reader := b.browser()
	reader.signIn("reader@example.com", "/")
	list := reader.get("/comments?source=support%2Femails").html
	for _, never := range []string{"s3", `class="way`, `value="Secret"`, "Rückfrage 58"} {
		require.NotContains(t, list, never)
	}
	for query, field := range map[string]string{"property=string%3ASecret%3Ds3": "property", "direction=inbound": "direction"} {
		got := reader.get("/comments?" + query)
		require.Equal(t, http.StatusBadRequest, got.StatusCode)
		require.Contains(t, got.html, `id="`+field+`-error">Filtering by the sensitive property`)
		require.Contains(t, got.html, "sources-read-sensitive")
		require.Equal(t, http.StatusOK, reader.get("/comments?source=support%2Fchats&"+query).StatusCode, "there it is not sensitive")
	}
	nobody := b.browser()
	nobody.signIn("nobody@example.com", "/")
	require.Contains(t, nobody.get("/comments").html, "You may not read comments.")
	require.Positive(t, len(b.seed.Strings(`select type from audit_events where type = 'comments.searched'`)))

	// Too many sources to look in all of them.
	for i := range mostSources {
		b.seed.Source(project, fmt.Sprintf("more-%d", i))
	}
	require.Contains(t, br.get("/comments").html, "Choose one")
	require.Len(t, keys(br.get("/comments?source=support%2Fchats").html), 25)
}

func TestAConversation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	br := b.browser()
	br.signIn(adminEmail, "/")
	source := b.seed.Source(b.seed.Project("support"), "emails")
	thread := `a/b c%3F?"><ä&amp;`
	const n = 45
	for i := range n {
		subject := "RE: Late <b>parcel</b>"
		if i == 7 {
			subject = "Another matter"
		}
		c := mail(fmt.Sprintf("m%02d", i), thread, commentNoon.Add(time.Duration(i)*time.Minute), subject, fmt.Sprintf("Text number %02d.", i), comment.Properties{"string:Direction": []string{"inbound", "outbound"}[i%2]})
		if i == 0 {
			c.Messages[0].Body.Text += "\n\nOn Mon, 2 Mar 2026 at 10:00, Bob <bob@example.com> wrote:\n> Please try again.\n> Bob"
			c.Messages[0].Signature = &comment.Text{Text: "Ann\nACME"}
		}
		if i == 1 {
			c.Messages[0].Body.Text = strings.Repeat("W", comment.MaxTextChars)
		}
		b.seed.Comment(source, c)
	}
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), attachments = $1 where id = 'm00'`, "[{\"name\": \"a\u202efdp.exe\"}]")
	at := "/threads/support/emails/" + url.PathEscape(thread)
	first := br.get(at)
	require.Equal(t, http.StatusOK, first.StatusCode)
	for _, s := range []string{
		"45 comments", "<bdi>RE: Late &lt;b&gt;parcel&lt;/b&gt;</bdi></h1>", `<li class="turn in" id="m1">`, `<li class="turn out" id="m2">`, `<span class="hidden">Received: </span>`,
		"<summary>Quoted text, 3 lines</summary>", "&gt; Please try again.", "<summary>Signature, 2 lines</summary>", `<h2 class="turn-subject"><bdi>Another matter</bdi>`,
		"aU&#43;202Efdp.exe", `<a href="/comments/support/emails/m01">Read all of it</a>`, `href="/comments" aria-current="page"`,
	} {
		require.Contains(t, first.html, s)
	}
	require.Less(t, len(first.html), 60_000)
	require.Equal(t, 2, strings.Count(first.html, "turn-subject"), "there and back")

	// There and back, by the links of the pages.
	texts := func(page string) []string { return regexp.MustCompile(`Text number \d\d|WWW`).FindAllString(page, -1) }
	number := func(page string) (first, last string) {
		found := regexp.MustCompile(`href="/comments/support/emails/(m\d\d)"`).FindAllStringSubmatch(page, -1)
		return found[0][1], found[len(found)-1][1]
	}
	link := func(page, label string) string {
		m := regexp.MustCompile(`<a[^>]*href="([^"]*)">` + label + `</a>`).FindStringSubmatch(page)
		if m == nil {
			return ""
		}
		return html.UnescapeString(m[1])
	}
	page, seen := first.html, 0
	for _, want := range [][2]string{{"m00", "m19"}, {"m20", "m39"}, {"m40", "m44"}} {
		from, to := number(page)
		require.Equal(t, want, [2]string{from, to})
		seen += len(texts(page))
		if later := link(page, "Later"); later != "" {
			page = br.get(later).html
		}
	}
	require.GreaterOrEqual(t, seen, n)
	require.Empty(t, link(page, "Later"))
	end := br.get(link(first.html, "End")).html
	from, to := number(end)
	require.Equal(t, [2]string{"m25", "m44"}, [2]string{from, to})
	require.Empty(t, link(end, "Later"))
	before := br.get(link(end, "Earlier")).html
	from, to = number(before)
	require.Equal(t, [2]string{"m05", "m24"}, [2]string{from, to})
	require.Equal(t, at, link(before, "Beginning"))
	require.Empty(t, link(br.get(link(before, "Earlier")).html, "Earlier"))

	// A chat is a conversation in itself, of which a page has the beginning.
	chat := comment.Comment{ID: "chat", ThreadID: "chat", Timestamp: commentNoon}
	for i := range comment.MaxMessages {
		chat.Messages = append(chat.Messages, comment.Message{From: []string{"Visitor", "Agent"}[i%2], Body: comment.Text{Text: fmt.Sprintf("Turn %04d", i)}})
	}
	b.seed.Comment(source, chat)
	got := br.get("/threads/support/emails/chat").html
	require.Contains(t, got, "2,048 messages")
	require.Contains(t, got, "2,018 more messages")
	require.Equal(t, 30, strings.Count(got, "Turn 00"))
	require.Equal(t, 15, strings.Count(got, `class="turn out"`))
	require.NotContains(t, got, "Received:", "nobody knows which of them is ours")
	one := br.get("/comments/support/emails/chat").html
	require.Contains(t, one, "Messages 1 to 50 of 2,048")
	require.Contains(t, br.get(next(one)).html, "Turn 0050")

	for _, missing := range []string{"/threads/support/emails/nobody", "/threads/support/emails/%00", "/threads/support/nobody/chat", "/threads/nobody/emails/chat", "/threads/a%2Fb/emails/chat"} {
		require.Equal(t, http.StatusNotFound, br.get(missing).StatusCode, missing)
	}
	require.Equal(t, http.StatusBadRequest, br.get(at+"?after=eA").StatusCode)
	after := link(first.html, "Later")
	require.Equal(t, http.StatusBadRequest, br.get(strings.Replace(after, "after=", "before=", 1)).StatusCode, "a place to go on from, not one to go back from")
	require.Contains(t, strings.Join(b.seed.Strings(`select type from audit_events`), " "), "comments.read")
}

func TestOneComment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project := b.seed.Project("support")
	source := b.seed.Source(project, "emails")
	b.user("reader@example.com", store.Grant{Project: "support", Permission: access.SourcesRead})
	b.user("chief@example.com", store.Grant{Project: "support", Permission: access.SourcesReadSensitive})
	b.user("streams@example.com", store.Grant{Project: "support", Permission: access.StreamsRead})
	reader, chief, streams := b.browser(), b.browser(), b.browser()
	reader.signIn("reader@example.com", "/")
	chief.signIn("chief@example.com", "/")
	streams.signIn("streams@example.com", "/")
	b.seed.Exec(`update sources set sensitive_properties = '{Secret}'`)

	const hostile = `</div><script>alert(1)</script><style>*{display:none}</style><img src=x onerror=alert(1)><a href="javascript:alert(1)">x</a><iframe src="data:text/html,x">{{.}}` + "\u202e\u2066\x01"
	c := mail(madeOf, "case", commentNoon, "Late parcel", "It did not come.\n"+hostile, comment.Properties{
		"string:Case Number": "00001026", "string:Secret": "s3cret", "number:Score": 4.5, "string:Record URL": "https://acme.my.salesforce.com/" + recordID, "string:" + hostile: hostile,
	})
	c.Messages[0].From = "Ann " + hostile
	for i := range 100 {
		c.Messages[0].Cc = append(c.Messages[0].Cc, fmt.Sprintf("cc%03d@example.com", i))
	}
	c.Messages[0].Signature = &comment.Text{Text: "Ann, of ACME"}
	b.seed.Comment(source, c)
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), attachments = '[{"name": "invoice.pdf", "size": 84211, "content_type": "application/pdf"}]'`)
	b.seed.Comment(source, mail("before", "case", commentNoon.Add(-time.Hour), "The one before", "x", nil))
	b.seed.Comment(source, mail("after", "case", commentNoon.Add(time.Hour), "The one after", "x", nil))
	at := "/comments/support/emails/" + madeOf

	got := reader.get(at)
	require.Equal(t, http.StatusOK, got.StatusCode)
	for _, s := range []string{
		"<bdi>Late parcel</bdi></h1>", "It did not come.", "Ann, of ACME", "help@acme.example", "cc019@example.com", "and 80 more", "invoice.pdf", "84,211 bytes", "00001026", "4.5", recordID,
		`href="/comments?property=string%3ACase&#43;Number%3D00001026&amp;source=support%2Femails"`, `href="https://acme.my.salesforce.com/` + recordID + `"`, `href="/threads/support/emails/case"`,
		`rel="prev" href="/comments/support/emails/before"`, `rel="next" href="/comments/support/emails/after"`, "The one after", "sources-read-sensitive",
		"&lt;script&gt;alert(1)", `<span class="control" title="A character that is not shown">U&#43;202E</span>`, "U&#43;2066", "U&#43;0001",
	} {
		require.Contains(t, got.html, s)
	}
	for _, never := range []string{"s3cret", "cc020", "?view=revisions", "<script>", "<style>", "<img src=x", "<iframe", `href="javascript`, "\u202e", "\u2066", "\x01"} {
		require.NotContains(t, got.html, never)
	}
	require.Contains(t, chief.get(at).html, "s3cret")
	require.NotContains(t, reader.get("/comments/support/emails/before").html, `rel="prev"`)

	// A link that a comment brings leads to its own record, or nowhere.
	for _, address := range []string{"javascript:alert(1)//" + recordID, "https://evil.example/x", "https://evil.example/%2f" + recordID} {
		b.seed.Exec(`update comments set changed = pg_current_xact_id(), properties = jsonb_build_object('string:Record URL', $1::text) where id = $2`, address, madeOf)
		require.NotContains(t, reader.get(at).html, "Open in Salesforce", address)
	}

	// Revisions, as the API has them.
	got = reader.get(at + "?view=revisions")
	require.Equal(t, http.StatusForbidden, got.StatusCode)
	require.Contains(t, got.html, "sources-read-sensitive")
	for i := 2; i <= 23; i++ {
		texts := []comment.Texts{{Subject: "Late parcel", Body: fmt.Sprintf("It did come %d days late.\n%s", i, hostile)}}
		raw, err := json.Marshal(texts)
		require.NoError(t, err)
		b.seed.Exec(`insert into revisions (source_id, comment_id, revision, texts, text_hash, cleaning_version) values ($1, $2, $3, $4, $5, 3)`, source, madeOf, i, string(raw), comment.HashTexts(texts))
		if i < 23 {
			b.seed.Exec(`insert into ledger (source_id, comment_id, revision, reason, before_hash, after_hash) values ($1, $2, $3, 'text_changed', $4, $4)`, source, madeOf, i, comment.HashTexts(texts))
		}
	}
	b.seed.Exec(`update comments set revision = 23, last_modified = now() + interval '1 hour', changed = pg_current_xact_id() where id = $1`, madeOf)
	got = chief.get(at + "?view=revisions")
	require.Equal(t, http.StatusOK, got.StatusCode)
	for _, s := range []string{
		"Revision 23 <span class=\"badge ok\">In force</span>", "Changed without its text", `<span class="badge off">Not billed</span> because the ledger has no unit for this text.`,
		`<span class="badge busy">Billed, 1 AI unit</span> because the text changed. Written through the API.`, "It did come <del>22</del><ins>23</ins> days late.", "&lt;script&gt;", "Cleaning version",
	} {
		require.Contains(t, got.html, s)
	}
	older := next(got.html)
	require.Equal(t, at+"?view=revisions&before=14", older)
	last := chief.get(next(chief.get(older).html)).html
	require.Contains(t, last, "because the comment was created.")
	require.Contains(t, last, "It did <del>not </del>come<ins> 2 days late</ins>.", "the last of a page is compared with the first of the next one")
	require.Empty(t, next(last))
	require.Equal(t, http.StatusBadRequest, chief.get(at+"?view=revisions&before=x").StatusCode)

	// The record beside what was made of it.
	require.Contains(t, reader.get(at+"?view=record").html, "was made of no record")
	b.record(project, source, "Thanks, grüße.\n"+hostile+"\n\n-- \nAnn Example\n\nOn Mon, 2 Mar 2026 at 10:00, Bob <bob@example.com> wrote:\n> Please try again.\n")
	got = reader.get(at + "?view=record")
	for _, s := range []string{
		"Thanks, grüße.", `<span class="rule">quote: wrote</span>`, "&gt; Please try again.", "quoted from another mail", "Version 3 would make another one", "To see it takes the permission",
	} {
		require.Contains(t, got.html, s)
	}
	require.NotContains(t, got.html, "sealed")
	require.Empty(t, b.seed.Strings(`select type from audit_events where type = 'records.read_raw'`))
	got = chief.get(at + "?view=record")
	for _, s := range []string{"<dt>Secret__c</dt>", "sealed", "<dt>Parent.CaseNumber</dt>", "&lt;p&gt;&lt;script&gt;", "characters</summary>"} {
		require.Contains(t, got.html, s)
	}
	require.Less(t, len(got.html), 150_000, "a field may be long")
	for _, never := range []string{"<script>", "<style>", "<img src=x", "<iframe", "\u202e"} {
		require.NotContains(t, got.html, never)
	}
	require.Len(t, b.seed.Strings(`select type from audit_events where type in ('records.read_raw', 'comments.revisions_read')`), 2)
	b.seed.Exec(`delete from raw_chunks`)
	got = chief.get(at + "?view=record")
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.Contains(t, got.html, "There is no raw copy of record "+recordID+" any more.")
	require.Contains(t, got.html, "raw_retention")

	// What is not there, and what might as well not be.
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now() where id = 'after'`)
	for _, missing := range []string{"/comments/support/emails/after", "/comments/support/emails/a%2Fb", "/comments/support/emails/%C3%A4", "/comments/support/nobody/before", "/comments/nobody/emails/before", at + "?view=else"} {
		require.Equal(t, http.StatusNotFound, chief.get(missing).StatusCode, missing)
	}
	got = streams.get(at)
	require.Equal(t, http.StatusForbidden, got.StatusCode)
	require.Equal(t, http.StatusForbidden, streams.get("/comments/support/nobody/x").StatusCode, "whether a source is there is not told")
	b.seed.Comment(source, mail("a%2F+:'\"<b>", "", commentNoon, "Odd", "x", nil))
	odd := links(reader.get("/comments").html, "/comments/support/emails/a")
	require.Len(t, odd, 1)
	require.Equal(t, http.StatusOK, reader.get(odd[0]).StatusCode)
}

// record stores the record of the comment madeOf, with its raw copy, as the sync does.
func (b *bench) record(projectID, sourceID, body string) {
	b.t.Helper()
	plan, err := json.Marshal(map[string]any{"object": "EmailMessage", "recipe": transform.Recipe{
		Types:   transform.Types{"TextBody": salesforce.TypeTextArea, "FromName": salesforce.TypeString, "CreatedDate": salesforce.TypeDateTime},
		Mapping: transform.Mapping{Mail: true, Body: []transform.TextPath{{Path: "TextBody"}}, FromName: "FromName", Timestamp: []string{"CreatedDate"}},
	}})
	require.NoError(b.t, err)
	integration := b.seed.Integration(projectID, sourceID, "prod", "idle", "", "")
	b.seed.Exec(`insert into objects (integration_id, name, position, spec, state, plan) values ($1, 'EmailMessage', 0, '{}', 'ok', $2)`, integration, string(plan))
	b.seed.Exec(`insert into streams (integration_id, object, lane, epoch) values ($1, 'EmailMessage', 'live', 1)`, integration)
	target, err := b.db.LoadTarget(b.t.Context(), "support", "prod")
	require.NoError(b.t, err)
	ref := flow.BatchRef{Stream: target.Objects[0].Stream, Epoch: 1, Seq: 1, Object: "EmailMessage"}
	batch, err := b.db.BeginBatch(b.t.Context(), ref)
	require.NoError(b.t, err)
	raw, err := json.Marshal(map[string]any{
		"Id": recordID, "TextBody": body, "FromName": "Ann Example", "CreatedDate": "2026-03-01T12:00:00.000+0000", "Secret__c": "sealed",
		"HtmlBody": "<p><script>alert(1)</script>" + strings.Repeat("<b>long</b>", 100_000), "Parent": map[string]any{"attributes": map[string]any{"type": "Case"}, "CaseNumber": "00001026"},
	})
	require.NoError(b.t, err)
	require.NoError(b.t, b.db.AddChunk(b.t.Context(), batch, store.Chunk{Format: store.FormatJSON, IDs: []string{recordID}, Data: append(raw, '\n')}))
	b.seed.Exec(`insert into records (source_id, object, record_id, stamp, read_begin, read_end, record_digest, text_digest, state, comment_id, raw_stream, raw_epoch, raw_seq, raw_chunk)
		values ($1, 'EmailMessage', $2, now(), 1, 2, '', '', 'live', $3, $4, 1, 1, 0)`, sourceID, recordID, madeOf, ref.Stream)
}
