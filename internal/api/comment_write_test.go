package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/store"
)

const (
	syncPath   = "/api/v1/sources/sales%2Fcalls/sync"
	putPath    = "/api/_private/sources/sales%2Fcalls/comments"
	deletePath = "/api/v1/sources/sales%2Fcalls/comments"
)

// one is a comment as JSON, with its keys changed as said: "" leaves a key out.
func one(id, text string, keys ...string) string {
	fields := map[string]string{
		"id": quote(id), "timestamp": `"2024-01-01T12:00:00Z"`, "messages": `[{"body":{"text":` + quote(text) + `}}]`,
	}
	for i := 0; i < len(keys); i += 2 {
		fields[keys[i]] = keys[i+1]
		if keys[i+1] == "" {
			delete(fields, keys[i])
		}
	}
	var list []string
	for key, value := range fields {
		list = append(list, quote(key)+":"+value)
	}
	return "{" + strings.Join(list, ",") + "}"
}

func quote(text string) string {
	raw, _ := json.Marshal(text) // texts always encode
	return string(raw)
}

func batchOf(comments ...string) string { return `{"comments":[` + strings.Join(comments, ",") + `]}` }

// sync sends a batch, which must be taken, and gives what it counts: new, updated, unchanged, properties only, text changed.
func (b *bench) sync(comments ...string) [5]int {
	b.t.Helper()
	a := b.do(http.MethodPost, syncPath, "writer", batchOf(comments...))
	require.Equal(b.t, http.StatusOK, a.status, a.raw)
	var out [5]int
	for i, key := range []string{"new", "updated", "unchanged", "updated_properties_only", "updated_text_changed"} {
		out[i] = int(a.body[key].(float64))
	}
	return out
}

func (b *bench) units(source string) int {
	b.t.Helper()
	n, err := b.db.Units(b.t.Context(), source)
	require.NoError(b.t, err)
	return int(n)
}

func TestSyncCountsAndBills(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	properties := func(json string) []string { return []string{"user_properties", json} }
	require.Equal(t, [5]int{}, b.sync())
	require.Equal(t, [5]int{3, 0, 0, 0, 0}, b.sync(one("0c", "c"), one("0a", "a"), one("0b", "b")))
	require.Equal(t, 3, b.units(b.written))
	require.Equal(t, [5]int{0, 0, 3, 0, 0}, b.sync(one("0a", "a"), one("0b", "b"), one("0c", "c")))
	require.Equal(t, [5]int{0, 1, 1, 1, 0}, b.sync(one("0a", "a", properties(`{"number:NPS":9,"string:Team":"north"}`)...), one("0b", "b")))
	require.Equal(t, 3, b.units(b.written), "properties cost nothing")
	require.Equal(t, [5]int{1, 2, 1, 1, 1}, b.sync(one("0a", "a"), one("0b", "B"), one("0c", "c"), one("0d", "d")), "the whole comment is replaced")
	require.Equal(t, 5, b.units(b.written))

	// The same, spelt otherwise.
	require.Equal(t, [5]int{0, 0, 1, 0, 0}, b.sync(one("0a", "a", "timestamp", `"2024-01-01T13:00:00.0000001+01:00"`, "thread_id", "null", "attachments", "[]",
		"text_format", `"plain"`, "user_properties", "null", "context", `"whatever"`,
		"messages", `[{"body":{"text":"\u0061","text_markup":[{"kind":"text"}]},"to":[],"subject":{"text":""}}]`)))
	// What is no text is no unit: everything else that a message has.
	require.Equal(t, [5]int{0, 1, 0, 1, 0}, b.sync(one("0a", "a", "messages",
		`[{"body":{"text":"a","translated_from":"α"},"from":"Ann <a@b.c>","to":["d@e.f"],"cc":["g"],"bcc":["h"],"sent_at":"2024-01-01T12:00:00Z","language":"el"}]`,
		"thread_id", `"5f"`, "text_format", `"markdown"`, "attachments", `[{"name":"a.pdf","size":10,"content_type":".pdf","inline":true}]`)))
	got := b.get("/api/v1/sources/sales/calls/comments/0a", "writer")["comment"].(map[string]any)
	require.Equal(t, "markdown", got["text_format"])
	require.Equal(t, []any{map[string]any{"name": "a.pdf", "size": 10.0, "content_type": ".pdf", "inline": true}}, got["attachments"])
	message := got["messages"].([]any)[0].(map[string]any)
	require.Equal(t, map[string]any{"text": "a", "translated_from": "α"}, message["body"])
	require.Equal(t, "2024-01-01T12:00:00.000000+00:00", message["sent_at"])

	// A subject and a signature are text.
	require.Equal(t, [5]int{0, 1, 0, 0, 1}, b.sync(one("0a", "a", "messages", `[{"body":{"text":"a"},"subject":{"text":"s"}}]`)))
	require.Equal(t, [5]int{0, 1, 0, 0, 1}, b.sync(one("0a", "a", "messages", `[{"body":{"text":"a"},"subject":{"text":"s"},"signature":{"text":"s"}}]`)))
	require.Equal(t, 7, b.units(b.written))
	require.Equal(t, []string{"created  1", "text_changed 1 2", "text_changed 2 3"}, b.seed.Strings(`
		select l.reason || ' ' || coalesce(b.revision::text, '') || ' ' || l.revision
		from ledger l join revisions r on (r.source_id, r.comment_id, r.revision) = (l.source_id, l.comment_id, l.revision) and r.text_hash = l.after_hash
		left join revisions b on (b.source_id, b.comment_id, b.revision) = (l.source_id, l.comment_id, l.revision - 1) and b.text_hash = l.before_hash
		where l.comment_id = '0a' order by l.revision`), "each unit leads from text to text")
}

// A deleted comment that comes again is new, and the bill says so too.
func TestDelete(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.sync(one("0a", "a"), one("0b", "b"), one("0c", "c"), one("a,b", "d"), one("100%+:", "e"))
	remove := func(query string) {
		t.Helper()
		a := b.do(http.MethodDelete, deletePath+"?"+query, "writer", "")
		require.Equal(t, http.StatusOK, a.status, a.raw)
		require.JSONEq(t, `{"status":"ok"}`, a.raw)
	}
	remove("id=0a&id=none&id=0a")
	remove("ids=0b,0c")
	remove("id=a%2Cb&ids=" + url.QueryEscape("100%+:"))
	remove("id=0a") // once more is no mistake
	require.Equal(t, []any{}, b.get(putPath, "writer")["comments"])
	require.Equal(t, []string{"true true [] {}"}, b.seed.Strings(`
		select distinct (deleted_at is not null) || ' ' || erased || ' ' || envelope || ' ' || properties from comments where source_id = $1`, b.written))
	require.Empty(t, b.seed.Strings(`select comment_id from revisions where source_id = $1`, b.written))
	require.Equal(t, 5, b.units(b.written), "the bill outlives what was billed")

	require.Equal(t, [5]int{1, 0, 0, 0, 0}, b.sync(one("0a", "a")))
	require.Equal(t, [5]int{0, 0, 1, 0, 0}, b.sync(one("0a", "a")))
	require.Equal(t, 6, b.units(b.written))
	require.Equal(t, []string{"created 1", "created 2"}, b.seed.Strings(`select reason || ' ' || revision from ledger where comment_id = '0a' order by revision`))

	many := make([]string, 129)
	for i := range many {
		many[i] = fmt.Sprintf("id=%d", i)
	}
	for query, want := range map[string]string{
		"": "id is missing", "ids=": "is not 1 to 1,024", "id=a%2Fb": "is not 1 to 1,024", "id=": "is not 1 to 1,024", "id=%00": "is not 1 to 1,024",
		strings.Join(many, "&"): "129 ids, at most 128",
	} {
		a := b.do(http.MethodDelete, deletePath+"?"+query, "writer", "")
		require.Equal(t, http.StatusBadRequest, a.status, query)
		require.Contains(t, a.body["message"], want, query)
	}
	require.Len(t, b.get(putPath, "writer")["comments"], 1)
}

func TestPutAsksForTheContext(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	put := func(want int, comments ...string) string {
		t.Helper()
		a := b.do(http.MethodPut, putPath+"?no_charge=false", "writer", batchOf(comments...))
		require.Equal(t, want, a.status, a.raw)
		if want == http.StatusOK {
			require.Equal(t, `{"status":"ok"}`, strings.TrimSpace(a.raw), "the vendor's client takes no other answer")
		}
		return a.raw
	}
	context := func(id string) []string {
		t.Helper()
		got := b.get("/api/v1/sources/sales%2Fcalls/comments/"+id, "writer")["comment"].(map[string]any)
		return []string{"context", quote(got["context"].(string))}
	}
	put(http.StatusOK, one("0a", "a"), one("0b", "b"))
	require.Contains(t, put(http.StatusConflict, one("0c", "c"), one("0b", "b"), one("0a", "a")), `comments[1] (id \"0b\") is there already`)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/api/v1/sources/sales/calls/comments/0c", "writer", "").status, "nothing of the batch was written")
	old := context("0a")
	put(http.StatusOK, one("0a", "A", old...))
	put(http.StatusConflict, one("0a", "B", old...))
	put(http.StatusOK, one("0a", "A", context("0a")...))
	put(http.StatusOK, one("0a", "A", append(context("0a"), "user_properties", `{"number:n":1}`)...))
	require.Equal(t, 3, b.units(b.written))
	there := context("0a")
	put(http.StatusOK, one("0a", "A", append(there, "user_properties", `{"number:n":2}`)...))
	put(http.StatusOK, one("0a", "A", append(context("0a"), "user_properties", `{"number:n":1}`)...))
	require.NotEqual(t, there, context("0a"), "it says nothing of what the comment says: who guesses that could try")

	gone := context("0b")
	require.Equal(t, http.StatusOK, b.do(http.MethodDelete, deletePath+"?id=0b", "writer", "").status)
	put(http.StatusConflict, one("0b", "b", gone...))
	put(http.StatusConflict, one("0d", "d", "context", `"x"`))
	put(http.StatusOK, one("0b", "b"))
	require.Equal(t, 4, b.units(b.written))
}

// Every mistake is named by its place, and nothing of the batch is written.
func TestBadComments(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{RequestsPerSecond: 1e6, Burst: 1e6})
	b.sync(one("there", "text"))
	long := func(n int) string { return strings.Repeat("é", n) }
	message := func(json string) []string { return []string{"messages", `[{"body":{"text":"b"}},{` + json + `}]`} }
	body := `"body":{"text":"b"}`
	list := func(n int, item string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	property := func(json string) []string { return []string{"user_properties", "{" + json + "}"} }
	many := make([]string, 513)
	for i := range many {
		many[i] = fmt.Sprintf(`"number:%d":1`, i)
	}
	attachment := func(json string) []string { return []string{"attachments", "[{" + json + "}]"} }
	for _, tt := range []struct {
		comment string
		want    string // behind comments[1] (id "0a")
	}{
		{one("0a", "t", "id", ""), `comments[1]: id is missing`},
		{one("0a", "t", "id", `"a b"`), `comments[1] (id "a b"): id is not 1 to 1,024 letters`},
		{one("0a", "t", "id", `"a/b"`), `: id is not 1 to 1,024`},
		{one("0a", "t", "id", `""`), `: id is not 1 to 1,024`},
		{one("0a", "t", "id", `"é"`), `: id is not 1 to 1,024`},
		{one("0a", "t", "id", quote(strings.Repeat("x", 1025))), `: id has 1,025 characters, at most 1,024`},
		{one("0a", "t", "id", `7`), `comments[1]: id is not a string`},
		{one("0a", "t", "timestamp", ""), `: timestamp is missing`},
		{one("0a", "t", "timestamp", "null"), `: timestamp is missing`},
		{one("0a", "t", "timestamp", `"2024-01-01"`), `: timestamp is "2024-01-01", want RFC 3339`},
		{one("0a", "t", "timestamp", `"2024-01-01T00:00:00"`), `: timestamp is "2024-01-01T00:00:00", want RFC 3339`},
		{one("0a", "t", "timestamp", `1700000000`), `: timestamp is not a string`},
		{one("0a", "t", "timestamp", `"9999-12-31T23:59:59-23:59"`), `: timestamp is not in the years 1 to 9999`},
		{one("0a", "t", "timestamp", `"0000-06-01T00:00:00Z"`), `: timestamp is not in the years 1 to 9999`},
		{one("0a", "t", "messages", ""), `: messages is missing`},
		{one("0a", "t", "messages", "[]"), `: messages is empty`},
		{one("0a", "t", "messages", "{}"), `: messages is not an array`},
		{one("0a", "t", "messages", list(2049, "{"+body+"}")), `: messages has more than 2,048 items`},
		{one("0a", "t", "thread_id", quote(long(1025))), `: thread_id has 2,050 bytes, at most 2,048`},
		{one("0a", "t", "thread_id", `7`), `: thread_id is not a string`},
		{one("0a", "t", "context", quote(long(1025))), `: context has 1,025 characters, at most 1,024`},
		{one("0a", "t", "context", `{}`), `: context is not a string`},
		{one("0a", "t", "text_format", `1`), `: text_format is not a string`},
		{one("0a", "t", "messages", `[7]`), `: messages[0] is not an object`},
		{one("0a", "t", "text_format", `"html"`), `: text_format is "html", want plain or markdown`},
		{one("0a", "t", "uid", `"x"`), ` has the unknown key "uid"`},
		{one("0a", "t", "ID", `"x"`), ` has the unknown key "ID"`},
		{`{"id":"0a","id":"0a","timestamp":"2024-01-01T12:00:00Z","messages":[{` + body + `}]}`, ` has the key "id" twice`},
		{`[]`, `comments[1] is not an object`},
		{`"x"`, `comments[1] is not an object`},
		{one("there", "t"), `comments[1] (id "there") has the id of comments[0]`},

		{one("0a", "t", message(``)...), `: messages[1].body is missing`},
		{one("0a", "t", message(`"body":null`)...), `: messages[1].body is missing`},
		{one("0a", "t", message(`"body":{}`)...), `: messages[1].body.text is missing`},
		{one("0a", "t", message(`"body":"b"`)...), `: messages[1].body is not an object`},
		{one("0a", "t", message(`"body":{"text":5}`)...), `: messages[1].body.text is not a string`},
		{one("0a", "t", message(`"body":{"text":"b","html":"b"}`)...), `: messages[1].body has the unknown key "html"`},
		{one("0a", "t", message(`"body":{"text":`+quote(long(70000))+`}`)...), `: messages[1].body.text has 70,000 characters, at most 65,536`},
		{one("0a", "t", message(body+`,"subject":{"text":`+quote(long(65537))+`}`)...), `: messages[1].subject.text has 65,537 characters, at most 65,536`},
		{one("0a", "t", message(body+`,"signature":{"text":"s","translated_from":`+quote(long(65537))+`}`)...), `: messages[1].signature.translated_from has 65,537 characters`},
		{one("0a", "t", message(body+`,"from":""`)...), `: messages[1].from is empty`},
		{one("0a", "t", message(body+`,"from":["x"]`)...), `: messages[1].from is not a string`},
		{one("0a", "t", message(body+`,"from":`+quote(long(513)))...), `: messages[1].from has 513 characters, at most 512`},
		{one("0a", "t", message(body+`,"to":"x"`)...), `: messages[1].to is not an array`},
		{one("0a", "t", message(body+`,"cc":["a",""]`)...), `: messages[1].cc[1] is empty`},
		{one("0a", "t", message(body+`,"bcc":["a",`+quote(long(513))+`]`)...), `: messages[1].bcc[1] has 513 characters`},
		{one("0a", "t", message(body+`,"to":`+list(2049, `"x"`))...), `: messages[1].to has more than 2,048 items`},
		{one("0a", "t", message(body+`,"cc":`+list(2049, `"x"`))...), `: messages[1].cc has more than 2,048 items`},
		{one("0a", "t", message(body+`,"bcc":`+list(2049, `"x"`))...), `: messages[1].bcc has more than 2,048 items`},
		{one("0a", "t", message(body+`,"to":[{"email":"a@b.c"}]`)...), `: messages[1].to[0] is not a string`},
		{one("0a", "t", message(body+`,"subject":"s"`)...), `: messages[1].subject is not an object`},
		{one("0a", "t", message(body+`,"subject":{"text":"s","translated_from":`+quote(long(65537))+`}`)...), `: messages[1].subject.translated_from has 65,537 characters, at most 65,536`},
		{one("0a", "t", message(body+`,"signature":{"text":`+quote(long(65537))+`}`)...), `: messages[1].signature.text has 65,537 characters, at most 65,536`},
		{one("0a", "t", message(body+`,"sent_at":7`)...), `: messages[1].sent_at is not a string`},
		{one("0a", "t", message(body+`,"language":7`)...), `: messages[1].language is not a string`},
		{one("0a", "t", message(body+`,"sent_at":"today"`)...), `: messages[1].sent_at is "today", want RFC 3339`},
		{one("0a", "t", message(body+`,"language":"classical"`)...), `: messages[1].language has 9 characters, at most 8`},
		{one("0a", "t", message(body+`,"language":""`)...), `: messages[1].language is empty`},

		{one("0a", "t", property(`"Team":"x"`)...), `: user_properties has the key "Team", want string:<Name> or number:<Name>`},
		{one("0a", "t", property(`"boolean:x":true`)...), `: user_properties has the key "boolean:x", want`},
		{one("0a", "t", property(`"string:":"x"`)...), `: user_properties has the key "string:", want`},
		{one("0a", "t", property(`"string:x":5`)...), `: user_properties["string:x"] is not a string`},
		{one("0a", "t", property(`"string:x":null`)...), `: user_properties["string:x"] is not a string`},
		{one("0a", "t", property(`"number:x":"5"`)...), `: user_properties["number:x"] is not a number`},
		{one("0a", "t", property(`"number:x":true`)...), `: user_properties["number:x"] is not a number`},
		{one("0a", "t", property(`"number:x":1e400`)...), `: user_properties["number:x"] is a number out of range`},
		{one("0a", "t", property(`"number:x":1,"number:x":2`)...), `: user_properties has the key "number:x" twice`},
		{one("0a", "t", property(`"string:x":`+quote(long(65537)))...), `: user_properties["string:x"] has 65,537 characters, at most 65,536`},
		{one("0a", "t", property(`"string:`+long(257)+`":"x"`)...), `: user_properties has a name of 257 characters, at most 256`},
		{one("0a", "t", property(strings.Join(many, ","))...), `: user_properties has more than 512 properties`},
		{one("0a", "t", "user_properties", "[]"), `: user_properties is not an object`},

		{one("0a", "t", "attachments", "{}"), `: attachments is not an array`},
		{one("0a", "t", attachment(`"name":"a","size":1`)...), `: attachments[0].content_type is missing`},
		{one("0a", "t", attachment(`"name":`+quote(long(257))+`,"size":1,"content_type":"x"`)...), `: attachments[0].name has 257 characters, at most 256`},
		{one("0a", "t", attachment(`"size":1,"content_type":"x"`)...), `: attachments[0].name is missing`},
		{one("0a", "t", attachment(`"name":"a","content_type":"x"`)...), `: attachments[0].size is missing`},
		{one("0a", "t", attachment(`"name":"a","size":1,"content_type":`+quote(long(257)))...), `: attachments[0].content_type has 257 characters, at most 256`},
		{one("0a", "t", attachment(`"name":"a","size":1,"content_type":"x","content_hash":7`)...), `: attachments[0].content_hash is not a string`},
		{one("0a", "t", attachment(`"name":"a","size":1,"content_type":"x","attachment_reference":`+quote(long(1025)))...), `: attachments[0].attachment_reference has 1,025 characters`},
		{one("0a", "t", attachment(`"name":7,"size":1,"content_type":"x"`)...), `: attachments[0].name is not a string`},
		{one("0a", "t", attachment(`"name":"a","size":"1","content_type":"x"`)...), `: attachments[0].size is not a whole number`},
		{one("0a", "t", "attachments", `["a"]`), `: attachments[0] is not an object`},
		{one("0a", "t", attachment(`"name":"a","size":-1,"content_type":"x"`)...), `: attachments[0].size is not a whole number of at least 0`},
		{one("0a", "t", attachment(`"name":"a","size":1.5,"content_type":"x"`)...), `: attachments[0].size is not a whole number`},
		{one("0a", "t", attachment(`"name":"a","size":1,"content_type":"x","inline":"yes"`)...), `: attachments[0].inline is not true or false`},
		{one("0a", "t", attachment(`"name":"a","size":1,"content_type":"x","bytes":""`)...), `: attachments[0] has the unknown key "bytes"`},
		{one("0a", "t", "attachments", list(129, `{"name":"a","size":1,"content_type":"x"}`)), `: attachments has more than 128 items`},

		// What is no text.
		{one("0a", "t", message(`"body":{"text":"a\u0000b"}`)...), `: messages[1].body.text has the character NUL`},
		{one("0a", "t", message(`"body":{"text":"a\ud800"}`)...), `: messages[1].body.text has half of a surrogate pair`},
		{one("0a", "t", message(`"body":{"text":"\ud800\ud800"}`)...), `: messages[1].body.text has half of a surrogate pair`},
		{one("0a", "t", message(`"body":{"text":"\udc00\ud800"}`)...), `: messages[1].body.text has half of a surrogate pair`},
		{one("0a", "t", message("\"body\":{\"text\":\"\xff\"}")...), `: messages[1].body.text is not text in UTF-8`},
		{one("0a", "t", message("\"body\":{\"text\":\"\xed\xa0\x80\"}")...), `: messages[1].body.text is not text in UTF-8`},
		{one("0a", "t", message(body+`,"to":["\u0000"]`)...), `: messages[1].to[0] has the character NUL`},
		{one("0a", "t", property(`"string:\u0000":"x"`)...), `: user_properties has a key that has the character NUL`},
		{one("0a", "t", property("\"string:\xc3\":\"x\"")...), `: user_properties has a key that is not text in UTF-8`},
	} {
		for _, path := range []string{http.MethodPost + " " + syncPath, http.MethodPut + " " + putPath} {
			method, path, _ := strings.Cut(path, " ")
			a := b.do(method, path, "writer", batchOf(one("there", "other"), tt.comment))
			require.Equal(t, http.StatusBadRequest, a.status, "%.200s: %s", tt.comment, a.raw)
			want := tt.want
			if !strings.HasPrefix(want, "comments") && !strings.HasPrefix(want, ": id") && !strings.HasPrefix(want, "(id") {
				want = `comments[1] (id "0a")` + want
			}
			require.Contains(t, a.body["message"], want)
		}
	}
	require.Equal(t, []string{"text"}, b.seed.Strings(`select texts->0->>'body' from revisions where source_id = $1`, b.written), "nothing was applied")

	for body, want := range map[string]string{
		"": "ends too early", "{": "ends too early", "null": "not a JSON object", "[]": "not a JSON object", `{"comments":null}`: "comments is not an array", `{}`: "comments is missing",
		`{"comments":[]} x`: "something behind", `{"comments":[]} {}`: "something behind its object", `{"comments":[],"comments":[]}`: "twice", `{"comments":[],"more":1}`: `unknown key "more"`,
		`{"comments":[{"id":}]}`: "not JSON", `{"comments":[` + one("0a", "t"): "ends too early", `{"Comments":[]}`: `unknown key "Comments"`,
		`{"comments":[` + strings.Repeat("[", 20000): "not JSON", "\xef\xbb\xbf{}": "not a JSON object",
	} {
		a := b.do(http.MethodPost, syncPath, "writer", body)
		require.Equal(t, http.StatusBadRequest, a.status, "%.100s: %s", body, a.raw)
		require.Contains(t, a.body["message"], want, "%.100s", body)
	}
}

// The limits themselves are taken, and come back as they were sent.
func TestCommentsAtTheirLimits(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	id := strings.Repeat(`!"#$%&'()*+,-.:;<=>?@[\]^_{|}~z`, 40)[:1024]
	text := strings.Repeat("👩", comment.MaxTextChars)
	var thread strings.Builder // of letters in no order: PostgreSQL packs what repeats itself before it goes into an index
	for r := rand.New(rand.NewPCG(1, 1)); thread.Len()+3 <= comment.MaxThreadID; {
		thread.WriteRune(rune(0x4e00 + r.IntN(0x5000)))
	}
	sent := one(id, text, "timestamp", `"0001-01-01T00:00:00.000001Z"`, "user_properties", `{"string:`+strings.Repeat("é", 256)+`":"  ","number:a:b":-1.5e300,"number:z":0}`,
		"messages", `[{"body":{"text":`+quote(text)+`},"from":`+quote(strings.Repeat("é", 512))+`,"language":"zh-Hant "}]`, "thread_id", quote(thread.String()))
	require.Equal(t, [5]int{1, 0, 0, 0, 0}, b.sync(sent))
	require.Equal(t, [5]int{0, 0, 1, 0, 0}, b.sync(sent))
	got := b.get("/api/v1/sources/sales%2Fcalls/comments/"+url.PathEscape(id), "writer")["comment"].(map[string]any)
	require.Equal(t, id, got["id"])
	require.Equal(t, "0001-01-01T00:00:00.000001+00:00", got["timestamp"])
	require.Equal(t, text, got["messages"].([]any)[0].(map[string]any)["body"].(map[string]any)["text"])
	require.Equal(t, map[string]any{"string:" + strings.Repeat("é", 256): "  ", "number:a:b": -1.5e300, "number:z": 0.0}, got["user_properties"])

	var many bytes.Buffer
	for i := range maxComments + 1 {
		fmt.Fprintf(&many, ",%s", one(fmt.Sprint("m", i), "text"))
	}
	list := many.String()[1:]
	a := b.do(http.MethodPost, syncPath, "writer", batchOf(list))
	require.Equal(t, http.StatusBadRequest, a.status)
	require.Contains(t, a.body["message"], "comments has more than 16,384 items")
	require.Equal(t, [5]int{maxComments, 0, 0, 0, 0}, b.sync(list[:strings.LastIndex(list, `,{"`)]))
	require.Equal(t, maxComments+1, b.units(b.written))
}

func TestLargeAndPackedBodies(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	send := func(encoding string, body []byte) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+syncPath, bytes.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+b.tokens["writer"])
		req.Header.Set("Content-Encoding", encoding)
		return b.send(req)
	}
	packed := func(text string) []byte {
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return buf.Bytes()
	}
	large := []string{}
	for i := range 60 {
		large = append(large, one(fmt.Sprint("large", i), strings.Repeat("x", 60000)))
	}
	require.Equal(t, [5]int{60, 0, 0, 0, 0}, b.sync(large...), "more than a small body")
	a := send("gzip", packed(batchOf(large...)))
	require.Equal(t, http.StatusOK, a.status, a.raw)
	require.EqualValues(t, 60, a.body["unchanged"])

	require.Equal(t, http.StatusUnsupportedMediaType, send("br", []byte("x")).status)
	require.Equal(t, http.StatusBadRequest, send("gzip", []byte(batchOf())).status)
	require.Equal(t, http.StatusBadRequest, send("gzip", packed(batchOf(large...))[:1000]).status)
	blanks := strings.Repeat(" ", maxBatch)
	require.Equal(t, http.StatusRequestEntityTooLarge, send("gzip", packed(blanks+batchOf())).status, "what is unpacked counts")
	require.Equal(t, http.StatusRequestEntityTooLarge, send("", []byte(blanks+batchOf())).status)
}

func TestWritesThatAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	for _, r := range []struct{ method, path string }{
		{http.MethodPost, "/api/v1/sources/support/emails/sync"}, {http.MethodPut, "/api/_private/sources/id:" + b.source + "/comments"},
		{http.MethodDelete, "/api/v1/sources/support%2Femails/comments?id=0a"},
	} {
		a := b.do(r.method, r.path, "editor", batchOf(one("0a", "a")))
		require.Equal(t, http.StatusConflict, a.status, a.raw)
		require.Contains(t, a.body["message"], "the integration support/prod writes the comments of this source")
	}
	for query, want := range map[string]int{"?no_charge=true": http.StatusForbidden, "?no_charge=maybe": http.StatusBadRequest, "?no_charge=": http.StatusOK} {
		require.Equal(t, want, b.do(http.MethodPost, syncPath+query, "writer", batchOf()).status, query)
	}
	require.Zero(t, b.units(b.source)+b.units(b.written))
}

// Who writes without the right to sensitive properties cannot tell a right guess from a wrong one: not by the answer, nor
// by what can be read of the comment afterwards.
func TestSensitiveValuesCannotBeGuessedByWriting(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.user("trusted", store.Grant{Project: "sales", Permission: access.SourcesAddComments}, store.Grant{Project: "sales", Permission: access.SourcesReadSensitive})
	mail := func(id, iban string) string {
		return `{"raw_email":{"headers":{"parsed":{"Date":"Mon, 1 Jan 2024 12:00:00 +0000"}},"body":{"plain":"text"}},"comment_id":"` + id + `","user_properties":` + iban + `}`
	}
	comment := func(id, iban string) string { return one(id, "text", "user_properties", iban) }
	const hidden, right, wrong, none = `{"string:IBAN":"DE01","string:Team":"north"}`, `{"string:IBAN":"DE01","string:Team":"north"}`, `{"string:IBAN":"DE02","string:Team":"north"}`, `{"string:Team":"north"}`
	for _, way := range []struct {
		name, method, path string
		body               func(id, iban string) string
	}{
		{"sync", http.MethodPost, syncPath, func(id, iban string) string { return batchOf(comment(id, iban)) }},
		{"mails", http.MethodPost, mailsPath, func(id, iban string) string { return `{"documents":[` + mail(id, iban) + `]}` }},
		{"create", http.MethodPut, putPath, nil},
	} {
		b.seed.Exec(`update sources set sensitive_properties = '{IBAN}' where id = $1`, b.written)
		read := func(id, who string) map[string]any {
			t.Helper()
			return b.get("/api/v1/sources/sales/calls/comments/"+id, who)["comment"].(map[string]any)
		}
		body := way.body
		if body == nil {
			body = func(id, iban string) string {
				return batchOf(one(id, "text", "user_properties", iban, "context", quote(read(id, "trusted")["context"].(string))))
			}
		}
		send := func(who, id, iban string) answer {
			t.Helper()
			a := b.do(way.method, way.path, who, body(id, iban))
			require.Equal(t, http.StatusOK, a.status, a.raw)
			return a
		}
		var seen []string
		for id, guess := range map[string]string{"right": right, "wrong": wrong, "none": none} {
			id = way.name + id
			first := way
			if first.body == nil {
				first.method, first.path, first.body = http.MethodPost, syncPath, func(id, iban string) string { return batchOf(comment(id, iban)) }
			}
			require.Equal(t, http.StatusOK, b.do(first.method, first.path, "trusted", first.body(id, hidden)).status)
			before := read(id, "writer")
			require.NotContains(t, before["user_properties"], "string:IBAN")
			units := b.units(b.written)
			a := send("writer", id, guess)
			require.Equal(t, units, b.units(b.written), "it costs nothing")
			after := read(id, "writer")
			for _, key := range []string{"last_modified", "context"} {
				require.NotEqual(t, before[key], after[key], "%s of %s", key, id)
				delete(after, key)
			}
			for _, key := range []string{"id", "uid", "created_at"} {
				delete(after, key)
			}
			seen = append(seen, a.raw+fmt.Sprint(after))
		}
		require.Equal(t, []string{seen[0], seen[0], seen[0]}, seen, "%s: a right guess looks like a wrong one", way.name)

		// Who may see them is told as it is, and so is everybody where there is nothing to hide.
		id := way.name + "right"
		last := read(id, "trusted")["last_modified"]
		a := send("trusted", id, right)
		require.Equal(t, last, read(id, "trusted")["last_modified"])
		b.seed.Exec(`update sources set sensitive_properties = '{}' where id = $1`, b.written)
		other := send("writer", id, right)
		require.Equal(t, a.raw, other.raw)
		require.Equal(t, last, read(id, "trusted")["last_modified"])
		if way.name != "create" {
			require.EqualValues(t, 1, a.body["unchanged"])
		}
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.sync(one("0a", strings.Repeat("text ", 500)))
	get := func(path, tag, accept string) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+b.tokens["writer"])
		req.Header.Set("If-None-Match", tag)
		req.Header.Set("Accept-Encoding", accept)
		res, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		<-b.records
		return answer{status: res.StatusCode, header: res.Header}
	}
	for _, path := range []string{"/api/v1/sources/sales/calls", "/api/v1/sources/sales/calls/comments/0a"} {
		tag := get(path, "", "identity").header.Get("ETag")
		require.Regexp(t, `^W/"[A-Za-z0-9_-]{16}"$`, tag)
		a := get(path, `"other", `+tag, "gzip")
		require.Equal(t, http.StatusNotModified, a.status)
		require.Equal(t, tag, a.header.Get("ETag"))
		require.NotEmpty(t, a.header.Get("Server-Timing"))
		require.Equal(t, http.StatusNotModified, get(path, strings.TrimPrefix(tag, "W/"), "gzip").status)
		require.Equal(t, http.StatusOK, get(path, `"other"`, "gzip").status)
	}
	tag := get("/api/v1/sources/sales/calls/comments/0a", "", "gzip").header.Get("ETag")
	b.sync(one("0a", "other"))
	require.Equal(t, http.StatusOK, get("/api/v1/sources/sales/calls/comments/0a", tag, "gzip").status)
}

// Every answer to a GET has a tag, and none is sent to who has it already.
func TestEveryReadHasAnETag(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{RequestsPerSecond: 1e6, Burst: 1e6})
	b.seed.Mail(b.source, madeOfRecord, noon, "s", "b")
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), thread_id = '5f'`)
	b.record1("b", "live")
	spared, tested := 0, 0
	for _, r := range routes {
		if r.method != http.MethodGet {
			continue
		}
		for _, path := range paths(b, r) {
			tested++
			a := b.do(http.MethodGet, path, "root", "")
			require.Equal(t, http.StatusOK, a.status, "%s: %s", path, a.raw)
			require.Regexp(t, `^W/"[A-Za-z0-9_-]{16}"$`, a.header.Get("ETag"), path)
			require.Equal(t, "no-store", a.header.Get("Cache-Control"), path)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+path, nil)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+b.tokens["root"])
			req.Header.Set("If-None-Match", a.header.Get("ETag"))
			res, err := http.DefaultTransport.RoundTrip(req)
			require.NoError(t, err)
			raw, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			<-b.records
			if res.StatusCode == http.StatusNotModified {
				spared++
				require.Empty(t, raw)
				require.NotEmpty(t, res.Header.Get("X-Request-Id"))
			} else { // it tells how long ago something was
				require.NotEqual(t, a.header.Get("ETag"), res.Header.Get("ETag"), path)
			}
		}
	}
	require.Greater(t, tested, 40)
	require.Greater(t, spared, tested*3/4)
}
