package api

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/clean"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/store"
)

const mailsPath = "/api/v1/sources/sales%2Fcalls/sync-raw-emails"

const (
	someHead = "Message-ID: <2@acme.example>\r\nFrom: =?utf-8?q?Ann_M=C3=BCller?= <ann@acme.example>\r\nTo: \"Help, Desk\" <help@acme.example>, bob@acme.example\r\n" +
		"Cc: undisclosed-recipients:;\r\nSubject: Re: =?utf-8?b?UsO8Y2tmcmFnZQ==?=\r\nDate: Wed, 31 Jan 2024 13:00:00 +0100\r\n" +
		"References: <1@acme.example>\r\n <0@acme.example>\r\nContent-Transfer-Encoding: base64\r\n"
	someBody = "All was well.\r\n\r\n-- \r\nAnn Müller\r\nAcme\r\n\r\nOn Tue, 30 Jan 2024 at 10:00, Bob <bob@acme.example> wrote:\r\n> How was it?\r\n"
)

// document is a mail as JSON, with keys of the document as said.
func document(head, body string, keys ...string) string {
	rest := ""
	for i := 0; i < len(keys); i += 2 {
		rest += "," + quote(keys[i]) + ":" + keys[i+1]
	}
	return `{"raw_email":{"headers":` + head + `,"body":` + body + `}` + rest + `}`
}

func rawHead(text string) string   { return `{"raw":` + quote(text) + `}` }
func plainBody(text string) string { return `{"plain":` + quote(text) + `}` }

func documents(list ...string) string { return `{"documents":[` + strings.Join(list, ",") + `]}` }

// mail sends a batch of mails, which must be taken, and gives what it counts in the order of sync.
func (b *bench) mail(body string) (counts [5]int, comments []any) {
	b.t.Helper()
	schema, err := compiled("paths", "/api/v1/sources/{project}/{source}/sync-raw-emails", "post", "requestBody", "content", "application/json", "schema")
	require.NoError(b.t, err)
	sent, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	require.NoError(b.t, err)
	require.NoError(b.t, schema.Validate(sent), "what is taken is described")
	a := b.do(http.MethodPost, mailsPath, "writer", body)
	require.Equal(b.t, http.StatusOK, a.status, a.raw)
	for i, key := range []string{"new", "updated", "unchanged", "updated_properties_only", "updated_text_changed"} {
		counts[i] = int(a.body[key].(float64))
	}
	comments, _ = a.body["comments"].([]any)
	return counts, comments
}

func TestMailsBecomeComments(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.seed.Exec(`update sources set sensitive_properties = '{Case}' where id = $1`, b.written)
	properties := []string{"user_properties", `{"string:Folder":"Inbox","string:Case":"secret"}`}
	body := strings.Replace(documents(document(rawHead(someHead), plainBody(someBody), properties...)), `{"documents"`,
		`{"include_comments":true,"transform_tag":"generic.0.CONVKER5","override_user_properties":["Folder"],"documents"`, 1)
	counts, comments := b.mail(body)
	require.Equal(t, [5]int{1, 0, 0, 0, 0}, counts)
	require.Equal(t, 1, b.units(b.written))
	require.Len(t, comments, 1)
	got := comments[0].(map[string]any)
	id := hex.EncodeToString([]byte("2@acme.example"))
	require.Equal(t, b.get("/api/v1/sources/sales/calls/comments/"+id, "writer")["comment"], got, "as reading it gives it")
	require.Equal(t, []any{id, hex.EncodeToString([]byte("1@acme.example")), "2024-01-31T12:00:00.000000+00:00"}, []any{got["id"], got["thread_id"], got["timestamp"]})
	require.Equal(t, []any{map[string]any{
		"subject": map[string]any{"text": "Re: Rückfrage"}, "body": map[string]any{"text": "All was well."}, "signature": map[string]any{"text": "--\nAnn Müller\nAcme"},
		"from": "Ann Müller <ann@acme.example>", "to": []any{"Help, Desk <help@acme.example>", "bob@acme.example"}, "sent_at": "2024-01-31T12:00:00.000000+00:00",
	}}, got["messages"])
	require.Equal(t, map[string]any{"string:Folder": "Inbox"}, got["user_properties"], "what is sensitive is left out")
	require.Equal(t, []string{fmt.Sprint(clean.Version)}, b.seed.Strings(`select cleaning_version::text from revisions where source_id = $1`, b.written))

	// Once more, in whatever form: nothing changes. Without the right to sensitive properties that is not told.
	b.seed.Exec(`update sources set sensitive_properties = '{}' where id = $1`, b.written)
	parsed, err := json.Marshal(map[string]string{
		"MESSAGE-ID": "2@acme.example", "from": "=?utf-8?q?Ann_M=C3=BCller?= <ann@acme.example>", "To": "Help, Desk <help@acme.example>, bob@acme.example",
		"Subject": "Re: =?utf-8?b?UsO8Y2tmcmFnZQ==?=", "Date": "2024-01-31T12:00:00Z", "References": "1@acme.example 0@acme.example",
	})
	require.NoError(t, err)
	unix := strings.ReplaceAll(someBody, "\r\n", "\n")
	for _, again := range []string{
		document(rawHead(someHead), plainBody(someBody), properties...), document(`{"parsed":`+string(parsed)+`}`, plainBody(unix), properties...),
		document(rawHead(strings.Replace(someHead, "base64", "8bit\r\nContent-Type: multipart/mixed; boundary=b", 1)),
			plainBody("--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"+someBody+"--b--\r\n"), properties...),
	} {
		counts, comments = b.mail(documents(again))
		require.Equal(t, [5]int{0, 0, 1, 0, 0}, counts, again)
		require.Nil(t, comments, "nobody asked for them")
	}
	require.Equal(t, 1, b.units(b.written))

	// What is no text costs nothing; another text is a unit. HTML is cleaned, too, and the better body is taken.
	counts, _ = b.mail(documents(document(rawHead(strings.Replace(someHead, "bob@", "eve@", 1)), plainBody(someBody), "user_properties", `{"string:Folder":"Done"}`)))
	require.Equal(t, [5]int{0, 1, 0, 1, 0}, counts)
	counts, comments = b.mail(`{"include_comments":true,"documents":[` + document(rawHead(someHead), `{"plain":"All","html":"<p>All was <b>bad</b>.<blockquote type=cite>How was it?</blockquote>"}`,
		"comment_id", `null`, "user_properties", `null`) + "," + document(rawHead("Date: 1 Feb 2024 08:00\nMessage-Id: <3@acme.example>\nIn-Reply-To: your mail <2@acme.example>\nX: y\n\nDate: no"),
		`{"html":""}`, "comment_id", `"0a"`) + `]}`)
	require.Equal(t, [5]int{1, 1, 0, 0, 1}, counts)
	require.Equal(t, 3, b.units(b.written))
	require.Equal(t, map[string]any{"text": "All was bad."}, comments[0].(map[string]any)["messages"].([]any)[0].(map[string]any)["body"])
	require.Equal(t, []any{"0a", id, "2024-02-01T08:00:00.000000+00:00"},
		[]any{comments[1].(map[string]any)["id"], comments[1].(map[string]any)["thread_id"], comments[1].(map[string]any)["timestamp"]})

	// Each unit of a mail leads from text to text, like any other.
	require.Equal(t, []string{"created 1 api", "text_changed 2 api"}, b.seed.Strings(`
		select l.reason || ' ' || l.revision || ' ' || case when l.stream_id is null then 'api' end from ledger l
		join revisions r on (r.source_id, r.comment_id, r.revision) = (l.source_id, l.comment_id, l.revision) and r.text_hash = l.after_hash
		where l.source_id = $1 and l.comment_id = $2 order by l.revision`, b.written, id))
	require.Equal(t, http.StatusConflict, b.do(http.MethodPost, "/api/v1/sources/support/emails/sync-raw-emails", "editor", documents()).status, "an integration feeds it")
}

// The bill follows the mail: one that is sent again after a release that cleans otherwise keeps its text.
func TestMailsCostNothingWhenTheCleaningChanges(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	mail := document(rawHead(someHead), plainBody(someBody))
	b.mail(documents(mail))
	// What a release before would have made of it.
	b.seed.Exec(`update revisions set texts = '[{"body": "as it was"}]', text_hash = '\x01', cleaning_version = 1 where source_id = $1`, b.written)
	b.seed.Exec(`update comments set text_hash = '\x01', changed = pg_current_xact_id() where source_id = $1`, b.written)
	path := "/api/v1/sources/sales/calls/comments/" + hex.EncodeToString([]byte("2@acme.example"))
	text := func() string {
		t.Helper()
		return b.get(path, "writer")["comment"].(map[string]any)["messages"].([]any)[0].(map[string]any)["body"].(map[string]any)["text"].(string)
	}
	counts, _ := b.mail(documents(mail))
	require.Equal(t, [5]int{0, 0, 1, 0, 0}, counts)
	counts, _ = b.mail(documents(document(rawHead(someHead), plainBody(someBody), "user_properties", `{"string:Folder":"Done"}`)))
	require.Equal(t, [5]int{0, 1, 0, 1, 0}, counts, "its properties follow")
	require.Equal(t, "as it was", text())
	require.Equal(t, 1, b.units(b.written))

	// Another mail is another text, and what somebody else wrote is not taken for what the mail made.
	counts, _ = b.mail(documents(document(rawHead(someHead), plainBody("All was bad."))))
	require.Equal(t, [5]int{0, 1, 0, 0, 1}, counts)
	counts, _ = b.mail(documents(mail))
	require.Equal(t, [5]int{0, 1, 0, 0, 1}, counts)
	require.Equal(t, "All was well.", text())
	b.sync(one(hex.EncodeToString([]byte("2@acme.example")), "ready-made"))
	counts, _ = b.mail(documents(mail))
	require.Equal(t, [5]int{0, 1, 0, 0, 1}, counts)
	require.Equal(t, 5, b.units(b.written))

	// After it was deleted it is new.
	require.Equal(t, http.StatusOK, b.do(http.MethodDelete, deletePath+"?id="+hex.EncodeToString([]byte("2@acme.example")), "writer", "").status)
	counts, _ = b.mail(documents(mail))
	require.Equal(t, [5]int{1, 0, 0, 0, 0}, counts)
}

// Every mistake is named by its place, and nothing of the batch is written.
func TestBadMails(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{RequestsPerSecond: 1e6, Burst: 1e6})
	long := func(n int) string { return strings.Repeat("é", n) }
	good := func(more string) string { return "Date: Wed, 31 Jan 2024 12:00:00 +0000\n" + more }
	id := []string{"comment_id", `"0a"`}
	head := func(json string) string { return document(json, plainBody("b"), id...) }
	body := func(json string) string { return document(rawHead(good("")), json, id...) }
	list := func(n int, item string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	many := make([]string, 513)
	for i := range many {
		many[i] = fmt.Sprintf(`"number:%d":1`, i)
	}
	attachments := func(json string) string {
		return `{"raw_email":{"headers":` + rawHead(good("")) + `,"body":{"plain":"b"},"attachments":` + json + `},"comment_id":"0a"}`
	}
	for _, tt := range []struct {
		document string
		want     string // behind documents[1] (comment_id "0a")
	}{
		{`7`, `documents[1] is not an object`},
		{`{"comment_id":"0a"}`, `: raw_email is missing`},
		{`{"raw_email":null,"comment_id":"0a"}`, `: raw_email is missing`},
		{`{"raw_email":"x","comment_id":"0a"}`, `: raw_email is not an object`},
		{`{"raw_email":{"body":{"plain":"b"}},"comment_id":"0a"}`, `: raw_email.headers is missing`},
		{`{"raw_email":{"headers":` + rawHead(good("")) + `},"comment_id":"0a"}`, `: raw_email.body is missing`},
		{`{"raw_email":{"headers":{"raw":"x"},"body":{"plain":"b"},"mime":"x"},"comment_id":"0a"}`, `: raw_email has the unknown key "mime"`},
		{document(rawHead(good("")), plainBody("b"), "comment_id", `"0a"`, "id", `"0a"`), ` has the unknown key "id"`},
		{document(rawHead(good("")), plainBody("b"), "comment_id", `"0a"`, "comment_id", `"0a"`), ` has the key "comment_id" twice`},
		{document(rawHead(good("")), plainBody("b"), "comment_id", `"a b"`), `documents[1] (comment_id "a b"): comment_id is not 1 to 1,024 letters`},
		{document(rawHead(good("")), plainBody("b"), "comment_id", quote(strings.Repeat("x", 1025))), `: comment_id has 1,025 characters, at most 1,024`},
		{document(rawHead(good("")), plainBody("b"), "comment_id", `7`), `documents[1]: comment_id is not a string`},
		{document(rawHead(good("")), plainBody("b")), `documents[1]: raw_email.headers has no Message-ID`},
		{document(rawHead(good("Message-ID: <"+strings.Repeat("x", 513)+">")), plainBody("b")), `documents[1]: raw_email.headers has a Message-ID of 513 bytes, at most 512`},
		{document(rawHead(good("")), plainBody("b"), "comment_id", `"there"`), `documents[1] (id "there") has the id of documents[0]`},
		{document(rawHead(good("Message-ID: there")), plainBody("b"), "comment_id", `"there"`), `documents[1] (id "there") has the id of documents[0]`},

		{head(`{"raw":""}`), `: raw_email.headers has no Date`},
		{head(`{"raw":"Subject: x"}`), `: raw_email.headers has no Date`},
		{head(`{"raw":"Date: soon"}`), `: raw_email.headers has the Date "soon", want RFC 5322 such as`},
		{head(`{"parsed":{"date":"Wed, 31 Feb 2024 12:00:00 +0000"}}`), `: raw_email.headers has the Date "Wed, 31 Feb`},
		{head(`{"parsed":{"Date":"0000-06-01T00:00:00Z"}}`), `: raw_email.headers.Date is not in the years 1 to 9999`},
		{head(`{}`), `: raw_email.headers has neither raw nor parsed`},
		{head(`{"raw":null,"parsed":null}`), `: raw_email.headers has neither raw nor parsed`},
		{head(`{"raw":"Date: x","parsed":{}}`), `: raw_email.headers has both raw and parsed`},
		{head(`[]`), `: raw_email.headers is not an object`},
		{head(`{"raw":7}`), `: raw_email.headers.raw is not a string`},
		{head(`{"raw":` + quote(long(65537)) + `}`), `: raw_email.headers.raw has 65,537 characters, at most 65,536`},
		{head(`{"raw":"a\u0000"}`), `: raw_email.headers.raw has the character NUL`},
		{head("{\"raw\":\"\xff\"}"), `: raw_email.headers.raw is not text in UTF-8`},
		{head(`{"parsed":[]}`), `: raw_email.headers.parsed is not an object`},
		{head(`{"parsed":{"To":["a@b.c"]}}`), `: raw_email.headers.parsed["To"] is not a string`},
		{head(`{"parsed":{"To":"a@b.c","TO":"d@e.f"}}`), `: raw_email.headers.parsed has the field "TO" twice`},
		{head(`{"parsed":{"X":` + quote(strings.Repeat("x", 40000)) + `,"Y":` + quote(strings.Repeat("x", 40000)) + `}}`), `: raw_email.headers.parsed has more than 65,536 bytes`},
		{head(`{"cooked":"x"}`), `: raw_email.headers has the unknown key "cooked"`},

		{body(`{}`), `: raw_email.body has neither plain nor html`},
		{body(`"b"`), `: raw_email.body is not an object`},
		{body(`{"plain":7}`), `: raw_email.body.plain is not a string`},
		{body(`{"html":[]}`), `: raw_email.body.html is not a string`},
		{body(`{"text":"x"}`), `: raw_email.body has the unknown key "text"`},
		{body(`{"plain":` + quote(long(65537)) + `}`), `: raw_email.body.plain has 65,537 characters, at most 65,536`},
		{body(`{"html":` + quote(strings.Repeat("x", 33554433)) + `}`), `: raw_email.body.html has 33,554,433 characters, at most 33,554,432`},
		{body(`{"html":"\ud800"}`), `: raw_email.body.html has half of a surrogate pair`},

		{attachments(`{}`), `: raw_email.attachments is not an array`},
		{attachments(`[{"name":"a","size":1}]`), `: raw_email.attachments[0].content_type is missing`},
		{attachments(`[{"name":` + quote(long(257)) + `,"size":1,"content_type":"x"}]`), `: raw_email.attachments[0].name has 257 characters, at most 256`},
		{attachments(list(129, `{"name":"a","size":1,"content_type":"x"}`)), `: raw_email.attachments has more than 128 items`},
		{document(rawHead(good("")), plainBody("b"), "comment_id", `"0a"`, "user_properties", `{"Folder":"x"}`), `: user_properties has the key "Folder", want string:<Name>`},
		{document(rawHead(good("")), plainBody("b"), "comment_id", `"0a"`, "user_properties", `{"string:a":5}`), `: user_properties["string:a"] is not a string`},
		{document(rawHead(good("")), plainBody("b"), "comment_id", `"0a"`, "user_properties", "{"+strings.Join(many, ",")+"}"), `: user_properties has more than 512 properties`},
		{document(rawHead(good("")), `{"html":`+quote(strings.Repeat("word ", 20000))+`}`, "comment_id", `"0a"`, "user_properties", "{"+strings.Join(many[:512], ",")+"}"),
			`: user_properties has 512 properties, and no room for Truncated`},
	} {
		a := b.do(http.MethodPost, mailsPath, "writer", documents(document(rawHead(good("")), plainBody("b"), "comment_id", `"there"`), tt.document))
		require.Equal(t, http.StatusBadRequest, a.status, "%.200s: %s", tt.document, a.raw)
		want := tt.want
		if !strings.HasPrefix(want, "documents") && !strings.HasPrefix(want, ": comment_id has") {
			want = `documents[1] (comment_id "0a")` + want
		}
		require.Contains(t, a.body["message"], want)
	}
	one := document(rawHead(good("")), plainBody("b"), id...)
	for body, want := range map[string]string{
		"": "ends too early", "[]": "not a JSON object", `{}`: "documents is missing", `{"documents":null}`: "documents is not an array", `{"documents":{}}`: "documents is not an array",
		`{"documents":[` + one + `],"include_comments":"yes"}`: "include_comments is not true or false", `{"documents":[` + one + `],"transform_tag":7}`: "transform_tag is not a string",
		`{"documents":[` + one + `],"transform_tag":` + quote(long(129)) + `}`:                       "transform_tag has 129 characters, at most 128",
		`{"documents":[` + one + `],"override_user_properties":` + list(129, `"x"`) + `}`:            "override_user_properties has more than 128 items",
		`{"documents":[` + one + `],"override_user_properties":[7]}`:                                 "override_user_properties[0] is not a string",
		`{"documents":[` + one + `],"more":1}`:                                                       `unknown key "more"`,
		`{"documents":[` + one + `],"include_comments":true,"include_comments":true}`:                `the key "include_comments" twice`,
		`{"documents":` + list(4097, document(rawHead(good("")), plainBody("b"), "comment_id", "%")): "documents has more than 4,096 items",
	} {
		for i := 0; strings.Contains(body, `"comment_id":%`); i++ {
			body = strings.Replace(body, `"comment_id":%`, fmt.Sprintf(`"comment_id":"m%d"`, i), 1)
		}
		a := b.do(http.MethodPost, mailsPath, "writer", body)
		require.Equal(t, http.StatusBadRequest, a.status, "%.100s: %s", body, a.raw)
		require.Contains(t, a.body["message"], want, "%.100s", body)
	}
	// Who may not read is not told what is there, and what is free is for nobody.
	b.user("uploader", store.Grant{Project: "sales", Permission: access.SourcesAddComments})
	asked := strings.Replace(documents(one), `{"documents"`, `{"include_comments":true,"documents"`, 1)
	a := b.do(http.MethodPost, mailsPath, "uploader", asked)
	require.Equal(t, http.StatusForbidden, a.status)
	require.Contains(t, a.body["message"], "include_comments needs the permission sources-read")
	require.Equal(t, http.StatusForbidden, b.do(http.MethodPost, mailsPath+"?no_charge=true", "writer", documents(one)).status)
	require.Empty(t, b.seed.Strings(`select id from comments where source_id = $1`, b.written), "nothing was applied")
	require.Zero(t, b.units(b.written))
	require.Equal(t, http.StatusOK, b.do(http.MethodPost, mailsPath, "uploader", documents(one)).status)
}

// The limits themselves are taken.
func TestMailsAtTheirLimits(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	head := "Date: Wed, 31 Jan 2024 12:00:00 +0000\nX: "
	said := strings.Repeat("<p>word</p> ", 20_000)
	html := "<style>" + strings.Repeat("x", maxHTML-len("<style></style>")-len(said)) + "</style>" + said
	largest := document(rawHead(head+strings.Repeat("é", maxHead-len(head))), `{"plain":`+quote(strings.Repeat("é", maxPlain))+`,"html":"`+html+`"}`,
		"comment_id", quote(strings.Repeat("x", 1024)))
	list := make([]string, maxMails)
	for i := range list {
		list[i] = document(fmt.Sprintf(`{"parsed":{"Date":"1 Jan 2024 12:00","Message-ID":"<%s%d>"}}`, strings.Repeat("m", 508), 1000+i), plainBody("text"))
	}
	a := b.do(http.MethodPost, mailsPath, "writer", `{"include_comments":true,"documents":[`+largest+","+list[0]+"]}")
	require.Equal(t, http.StatusOK, a.status, a.raw)
	require.EqualValues(t, 2, a.body["new"])
	comments := a.body["comments"].([]any)
	first := comments[0].(map[string]any)
	require.Equal(t, map[string]any{"string:Truncated": "body"}, first["user_properties"])
	require.InDelta(t, comment.MaxTextChars, len(first["messages"].([]any)[0].(map[string]any)["body"].(map[string]any)["text"].(string)), 10)
	require.Len(t, comments[1].(map[string]any)["id"], 1024)
	counts, _ := b.mail(documents(list...))
	require.Equal(t, [5]int{maxMails - 1, 0, 1, 0, 0}, counts)
	require.Equal(t, maxMails+1, b.units(b.written))
}
