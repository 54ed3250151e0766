package transform_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

func row(t testing.TB, r transform.Recipe, raw []byte) store.StagedRow {
	t.Helper()
	out, err := r.Row(raw)
	require.NoError(t, err)
	return out
}

func TestRow(t *testing.T) {
	t.Parallel()
	r := row(t, recipe, record(nil))
	require.Equal(t, mailID, r.RecordID)
	require.Equal(t, time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC), r.Stamp)
	require.Len(t, r.RecordDigest, 32)
	require.Len(t, r.TextDigest, 32)
	require.NotEqual(t, r.RecordDigest, r.TextDigest)
	require.False(t, r.Deleted)
	require.Empty(t, r.Reason)
	require.NoError(t, r.Comment.Validate())

	r = row(t, recipe, record(map[string]any{"IsDeleted": true}))
	require.True(t, r.Deleted)
	require.Nil(t, r.Comment)
	require.Empty(t, r.Reason)

	r = row(t, recipe, record(map[string]any{"MessageDate": nil, "CreatedDate": nil}))
	require.Equal(t, "no timestamp: MessageDate and CreatedDate is empty", r.Reason)
	require.Nil(t, r.Comment)

	// A deleted record needs no timestamp.
	r = row(t, recipe, record(map[string]any{"IsDeleted": true, "MessageDate": nil, "CreatedDate": nil}))
	require.True(t, r.Deleted)
	require.Empty(t, r.Reason)
}

// The same record in other spellings is the same record: nothing is billed for JSON.
func TestRowSpellingsAreOne(t *testing.T) {
	t.Parallel()
	parent := map[string]any{"CaseNumber": "1026", "Age__c": 3, "Account": map[string]any{"Name": "Acme"}, "Due__c": "2026-03-03"}
	base := row(t, recipe, record(map[string]any{"Parent": parent, "TextBody": "one\ntwo"}))
	same := map[string][]byte{
		"indented":  nil,
		"line ends": record(map[string]any{"Parent": parent, "TextBody": "one\r\ntwo"}),
		"numbers":   bytes.Replace(record(map[string]any{"Parent": parent, "TextBody": "one\ntwo"}), []byte(`"Age__c":3`), []byte(`"Age__c":0.30e1`), 1),
		"Bulk's datetimes": record(map[string]any{"Parent": parent, "TextBody": "one\ntwo", "MessageDate": "2026-03-01T12:00:00.000Z",
			"CreatedDate": "2026-03-01T13:00:01+0100", "SystemModstamp": "2026-03-01T12:00:05Z"}),
		"empty for null":          record(map[string]any{"Parent": parent, "TextBody": "one\ntwo", "CcAddress": "", "HtmlBody": ""}),
		"15 characters":           record(map[string]any{"Parent": parent, "TextBody": "one\ntwo", "Id": mailID[:15]}),
		"fields nobody asked for": record(map[string]any{"Parent": parent, "TextBody": "one\ntwo", "Priority": "High", "MessageSize": 17}),
		"another stamp":           record(map[string]any{"Parent": parent, "TextBody": "one\ntwo", "SystemModstamp": "2026-03-05T00:00:00.000+0000"}),
		"other key order":         nil,
	}
	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, record(map[string]any{"Parent": parent, "TextBody": "one\ntwo"}), " ", "\t"))
	same["indented"] = indented.Bytes()
	same["other key order"] = shuffled(t, record(map[string]any{"Parent": parent, "TextBody": "one\ntwo"}))
	for name, raw := range same {
		got := row(t, recipe, raw)
		require.Equal(t, base.RecordDigest, got.RecordDigest, name)
		require.Equal(t, base.TextDigest, got.TextDigest, name)
		require.Equal(t, base.Comment, got.Comment, name)
		require.Equal(t, base.RecordID, got.RecordID, name)
	}
}

// shuffled is the same JSON object with its keys in another order.
func shuffled(t testing.TB, raw []byte) []byte {
	t.Helper()
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &fields))
	var keys []string
	for k := range fields {
		keys = append(keys, k)
	}
	rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	var b strings.Builder
	for i, k := range keys {
		b.WriteString(map[bool]string{true: "{", false: ","}[i == 0] + `"` + k + `":` + string(fields[k]))
	}
	return []byte(b.String() + "}")
}

func TestRowDigestsFollowWhatTheyCover(t *testing.T) {
	t.Parallel()
	base := row(t, recipe, record(nil))
	for name, c := range map[string]struct {
		fields map[string]any
		text   bool // the text digest changes too
	}{
		"body":             {map[string]any{"TextBody": "Good evening"}, true},
		"HTML behind text": {map[string]any{"HtmlBody": "<p>x</p>"}, true},
		"subject":          {map[string]any{"Subject": "Hello!"}, true},
		"sender":           {map[string]any{"FromName": "Ann"}, false},
		"recipient":        {map[string]any{"BccAddress": "x@y.example"}, false},
		"case":             {map[string]any{"ParentId": nil}, false},
		"priority":         {map[string]any{"Parent": map[string]any{"Priority": "High"}}, false},
		"sent":             {map[string]any{"MessageDate": "2026-03-01T12:00:02.000+0000"}, false},
	} {
		got := row(t, recipe, record(c.fields))
		require.NotEqual(t, base.RecordDigest, got.RecordDigest, name)
		require.Equal(t, c.text, !bytes.Equal(base.TextDigest, got.TextDigest), name)
	}
	deleted := row(t, recipe, record(map[string]any{"IsDeleted": true}))
	require.Equal(t, base.TextDigest, deleted.TextDigest, "an undelete brings the same text")
}

// A field that the answer does not have is not an empty field.
func TestRowOfAMissingFieldIsNotNull(t *testing.T) {
	t.Parallel()
	raw := record(nil)
	without := bytes.Replace(raw, []byte(`"HtmlBody":null,`), nil, 1)
	require.NotEqual(t, raw, without)
	require.NotEqual(t, row(t, recipe, raw).RecordDigest, row(t, recipe, without).RecordDigest)
}

// What a mapping makes of a record is part of what it is.
func TestRowDigestsFollowTheMapping(t *testing.T) {
	t.Parallel()
	base := row(t, recipe, record(nil))
	with := func(change func(*transform.Mapping)) store.StagedRow {
		r := recipe
		r.Mapping.Properties = append([]transform.PropertyPath{}, mailMapping.Properties...)
		r.Mapping.Body = append([]transform.TextPath{}, mailMapping.Body...)
		change(&r.Mapping)
		return row(t, r, record(nil))
	}
	renamed := with(func(m *transform.Mapping) { m.Properties[0].Name = "Number of the Case" })
	require.NotEqual(t, base.RecordDigest, renamed.RecordDigest)
	require.Equal(t, base.TextDigest, renamed.TextDigest)
	swapped := with(func(m *transform.Mapping) { m.Subject, m.Body[0].Path = m.Body[0].Path, m.Subject })
	require.Equal(t, "Hello", swapped.Comment.Messages[0].Body.Text)
	require.NotEqual(t, base.RecordDigest, swapped.RecordDigest)
	require.NotEqual(t, base.TextDigest, swapped.TextDigest, "subject and body changed places: the text is another")
	require.Equal(t, base, with(func(*transform.Mapping) {}))
}

func TestRowThatCannotBeRead(t *testing.T) {
	t.Parallel()
	r := row(t, recipe, record(map[string]any{"Parent": map[string]any{"Age__c": "three"}}))
	require.Equal(t, mailID, r.RecordID)
	require.Equal(t, time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC), r.Stamp)
	require.Nil(t, r.Comment)
	require.Contains(t, r.Reason, "Parent.Age__c")
	require.Contains(t, r.Reason, mailID)
	require.Len(t, r.RecordDigest, 32)
	require.Len(t, r.TextDigest, 32)

	// Its delete is applied all the same.
	r = row(t, recipe, record(map[string]any{"IsDeleted": true, "Parent": map[string]any{"Age__c": "three"}}))
	require.True(t, r.Deleted)
	require.Empty(t, r.Reason)

	r = row(t, recipe, record(map[string]any{"IsDeleted": "perhaps"}))
	require.False(t, r.Deleted)
	require.Contains(t, r.Reason, "IsDeleted")

	r = row(t, recipe, record(map[string]any{"SystemModstamp": "yesterday"}))
	require.Equal(t, transform.NoStamp, r.Stamp)
	require.Contains(t, r.Reason, "SystemModstamp")
	whole := record(nil)
	r = row(t, recipe, bytes.Replace(whole, []byte(`"SystemModstamp"`), []byte(`"Other"`), 1))
	require.Equal(t, transform.NoStamp, r.Stamp)
	require.Contains(t, r.Reason, "without its SystemModstamp")

	for name, raw := range map[string][]byte{
		"no JSON":    []byte(`{"Id":`),
		"no Id":      record(map[string]any{"Id": nil}),
		"a wrong Id": record(map[string]any{"Id": strings.ToLower(mailID)}),
	} {
		_, err := recipe.Row(raw)
		require.Equal(t, fault.Internal, fault.KindOf(err), name)
		_, _, _, err = recipe.Identity(raw)
		require.Equal(t, fault.Internal, fault.KindOf(err), name)
	}
}

// Objects without a date to follow, and records whose date is empty, become comments like
// all others; two versions differ by when they were read.
func TestRowWithoutAStamp(t *testing.T) {
	t.Parallel()
	dated := row(t, recipe, record(nil))
	empty := row(t, recipe, record(map[string]any{"SystemModstamp": nil}))
	dateless := recipe
	dateless.Stamp = ""
	none := row(t, dateless, record(nil))
	require.Equal(t, empty, none)
	require.Equal(t, transform.NoStamp, none.Stamp)
	none.Stamp = dated.Stamp
	require.Equal(t, dated, none)
}

func TestRowWithRecipients(t *testing.T) {
	t.Parallel()
	plain := row(t, recipe, record(nil))
	none, err := transform.Recipients{}.Attach(record(nil))
	require.NoError(t, err)
	require.Equal(t, plain, row(t, recipe, none))

	more := transform.Recipients{To: []string{"BOB@example.com", "ann@example.com", " Eve <eve@example.com> "}, Bcc: []string{"\"x\" }{"}}
	raw, err := more.Attach(append(record(nil), ' ', '\n'))
	require.NoError(t, err)
	r := row(t, recipe, raw)
	require.Equal(t, []string{"bob@example.com", "ann@example.com", "Eve <eve@example.com>"}, r.Comment.Messages[0].To)
	require.Equal(t, []string{"\"x\" }{"}, r.Comment.Messages[0].Bcc)
	require.NoError(t, r.Comment.Validate())
	require.NotEqual(t, plain.RecordDigest, r.RecordDigest)
	require.Equal(t, plain.TextDigest, r.TextDigest, "recipients are metadata")
	_, digest, _, err := recipe.Identity(raw)
	require.NoError(t, err)
	require.Equal(t, r.RecordDigest, digest)

	_, err = more.Attach([]byte("[1]"))
	require.Equal(t, fault.Internal, fault.KindOf(err))
	_, err = recipe.Row([]byte(strings.Replace(string(raw), `"to":[`, `"to":[1,`, 1)))
	require.Equal(t, fault.Internal, fault.KindOf(err))

	// A mail whose text speaks of the key has no recipients for it.
	r = row(t, recipe, record(map[string]any{"TextBody": `"_recipients":{"to":["x"]}`}))
	require.Equal(t, []string{"bob@example.com"}, r.Comment.Messages[0].To)

	many := make([]string, 3000)
	for i := range many {
		many[i] = strings.Repeat("a", 600) + strconv.Itoa(i)
	}
	raw, err = transform.Recipients{Cc: many}.Attach(record(nil))
	require.NoError(t, err)
	require.NoError(t, row(t, recipe, raw).Comment.Validate())
}

func TestIdentityIsThatOfTheRow(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]map[string]any{
		"plain": nil, "deleted": {"IsDeleted": true}, "unreadable": {"Parent": map[string]any{"Age__c": "three"}},
		"no stamp": {"SystemModstamp": nil}, "bad stamp": {"SystemModstamp": "yesterday"}, "other text": {"TextBody": "x"},
	} {
		raw := record(change)
		r := row(t, recipe, raw)
		id, digest, deleted, err := recipe.Identity(raw)
		require.NoError(t, err)
		require.Equal(t, []any{r.RecordID, r.RecordDigest, r.Deleted}, []any{id, digest, deleted}, name)
	}
}

// Whatever a record holds, the row it becomes can be stored, and is the same each time.
func TestRowIsDeterministicAndStorable(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	words := []string{"a", " ", "\r\n", "\n", "\x00", "\x1b", "\u0085", "\ufeff", "\u202e", "é", "e\u0301", "👩‍👩‍👧", "\ufffd", "<p>", "</p>", "&amp;", "&#0;", "<script>", "\"", "\\", ";", ",", "<", ">", "@x.example", strings.Repeat("x", 300)}
	text := func() any {
		if r.IntN(6) == 0 {
			return nil
		}
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteString(words[r.IntN(len(words))])
		}
		return b.String()
	}
	comments := 0
	for range 400 {
		fields := map[string]any{"Incoming": r.IntN(2) == 0, "Parent": map[string]any{"CaseNumber": text(), "Age__c": r.NormFloat64() * 1e6}}
		for _, path := range []string{"Subject", "TextBody", "HtmlBody", "FromName", "FromAddress", "ToAddress", "CcAddress", "BccAddress", "ThreadIdentifier"} {
			fields[path] = text()
		}
		if r.IntN(2) == 0 {
			fields["ParentId"] = nil
		}
		raw := record(fields)
		first, second := row(t, recipe, raw), row(t, recipe, shuffled(t, raw))
		second.Chunk = first.Chunk
		require.Equal(t, first, second)
		if first.Comment == nil {
			require.NotEmpty(t, first.Reason)
			continue
		}
		comments++
		require.NoError(t, first.Comment.Validate())
		stored, err := json.Marshal(first.Comment)
		require.NoError(t, err)
		require.NotContains(t, string(stored), `\u0000`, "PostgreSQL stores no NUL")
		var back comment.Comment
		require.NoError(t, json.Unmarshal(stored, &back))
		require.Equal(t, first.Comment.Texts(), back.Texts())
	}
	require.Greater(t, comments, 200)
}

func TestRecipeSurvivesItsStorage(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(recipe)
	require.NoError(t, err)
	var back transform.Recipe
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, recipe, back)
	require.Equal(t, row(t, recipe, record(nil)), row(t, back, record(nil)))
	require.Equal(t, salesforce.FieldType("datetime"), back.Types["SystemModstamp"])
}
