package comment_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
)

func good() *comment.Comment {
	sent := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return &comment.Comment{ID: "30303030", Timestamp: sent, ThreadID: "aa",
		Messages: []comment.Message{{Body: comment.Text{Text: "Hello"}, Subject: &comment.Text{Text: "Hi"},
			From: "Ann <ann@example.com>", To: []string{"bob@example.com"}, SentAt: &sent}},
		Properties: comment.Properties{"string:Case Number": "00001026", "number:Priority": 2.0}}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("ä", n) }
	for name, c := range map[string]struct {
		change func(*comment.Comment)
		want   string // "" = good
	}{
		"as it is":           {func(*comment.Comment) {}, ""},
		"no texts at all":    {func(c *comment.Comment) { c.Messages = []comment.Message{{}} }, ""},
		"no id":              {func(c *comment.Comment) { c.ID = "" }, "id"},
		"an id with a blank": {func(c *comment.Comment) { c.ID = "a b" }, `id "a b"`},
		"an id with a slash": {func(c *comment.Comment) { c.ID = "a/b" }, `id "a/b"`},
		"the longest id":     {func(c *comment.Comment) { c.ID = strings.Repeat("a", 1024) }, ""},
		"an id too long":     {func(c *comment.Comment) { c.ID = strings.Repeat("a", 1025) }, "id"},
		"no timestamp":       {func(c *comment.Comment) { c.Timestamp = time.Time{} }, "timestamp is missing"},
		"no message":         {func(c *comment.Comment) { c.Messages = nil }, "0 messages"},
		"the most messages":  {func(c *comment.Comment) { c.Messages = make([]comment.Message, comment.MaxMessages) }, ""},
		"too many messages":  {func(c *comment.Comment) { c.Messages = make([]comment.Message, comment.MaxMessages+1) }, "2049 messages"},
		"the longest body":   {func(c *comment.Comment) { c.Messages[0].Body.Text = long(comment.MaxTextChars) }, ""},
		"a body too long":    {func(c *comment.Comment) { c.Messages[0].Body.Text = long(comment.MaxTextChars + 1) }, "body has 65537 characters"},
		"a subject too long": {func(c *comment.Comment) { c.Messages[0].Subject.Text = long(comment.MaxTextChars + 1) }, "subject has 65537"},
		"a signature too long": {func(c *comment.Comment) {
			c.Messages[0].Signature = &comment.Text{Text: long(comment.MaxTextChars + 1)}
		}, "signature has 65537"},
		"NUL in the body":           {func(c *comment.Comment) { c.Messages[0].Body.Text = "a\x00b" }, "body is not UTF-8 text without NUL"},
		"a body that is not UTF-8":  {func(c *comment.Comment) { c.Messages[0].Body.Text = "caf\xe9" }, "body is not UTF-8"},
		"the longest from":          {func(c *comment.Comment) { c.Messages[0].From = long(512) }, ""},
		"a from too long":           {func(c *comment.Comment) { c.Messages[0].From = long(513) }, "from has 513"},
		"the longest address":       {func(c *comment.Comment) { c.Messages[0].Cc = []string{long(512)} }, ""},
		"an address too long":       {func(c *comment.Comment) { c.Messages[0].Bcc = []string{"a", long(513)} }, "an address in bcc has 513"},
		"an empty address":          {func(c *comment.Comment) { c.Messages[0].To = []string{""} }, "an address in to has 0"},
		"the most addresses":        {func(c *comment.Comment) { c.Messages[0].To = strings.Split(strings.Repeat("a,", 2047)+"a", ",") }, ""},
		"too many addresses":        {func(c *comment.Comment) { c.Messages[0].To = strings.Split(strings.Repeat("a,", 2048)+"a", ",") }, "to has 2049"},
		"the longest thread":        {func(c *comment.Comment) { c.ThreadID = strings.Repeat("a", comment.MaxThreadID) }, ""},
		"a thread too long":         {func(c *comment.Comment) { c.ThreadID = strings.Repeat("a", comment.MaxThreadID+1) }, "thread_id has 2049"},
		"a thread of wide letters":  {func(c *comment.Comment) { c.ThreadID = long(comment.MaxThreadID) }, "thread_id has"},
		"a text as number":          {func(c *comment.Comment) { c.Properties["number:Priority"] = "2" }, `"number:Priority" must be a number`},
		"an int as number":          {func(c *comment.Comment) { c.Properties["number:Priority"] = 2 }, `"number:Priority" must be a number`},
		"a number as text":          {func(c *comment.Comment) { c.Properties["string:A"] = 2.0 }, `"string:A" must be a string`},
		"a property without a kind": {func(c *comment.Comment) { c.Properties["Case"] = "1" }, `"Case" must begin with`},
		"everything at once": {func(c *comment.Comment) { c.ID, c.Messages, c.Properties["x"], c.Properties["y"] = "", nil, 1, 2 },
			"1024 word or punctuation characters\n0 messages, want 1 to 2048\nproperty \"x\" must begin with string: or number:\nproperty \"y\" must"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cm := good()
			c.change(cm)
			err := cm.Validate()
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestPropertiesLeaveOutWhatSaysNothing(t *testing.T) {
	t.Parallel()
	p := comment.Properties{}
	p.SetString("Blank", " \n\t ")
	p.SetString("Set", " x ")
	p.SetNumber("NaN", math.NaN())
	p.SetNumber("Inf", math.Inf(-1))
	p.SetNumber("Zero", 0)
	require.Equal(t, comment.Properties{"string:Set": " x ", "number:Zero": 0.0}, p)
}

func randomText(r *rand.Rand) string {
	alphabet := []string{"a", " ", "\n", "é", "👩", "\u2028", "<", "\"", "\\", "Ω"}
	var b strings.Builder
	for range r.IntN(8) {
		b.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

func randomMessages(r *rand.Rand) []comment.Message {
	out := make([]comment.Message, 1+r.IntN(4))
	for i := range out {
		m := &out[i]
		m.Body.Text = randomText(r)
		if s := randomText(r); s != "" {
			m.Subject = &comment.Text{Text: s}
		}
		if s := randomText(r); s != "" {
			m.Signature = &comment.Text{Text: s}
		}
		m.From = randomText(r)
		for range r.IntN(3) {
			m.To = append(m.To, randomText(r))
		}
		if r.IntN(2) == 0 {
			at := time.Unix(r.Int64N(2e9), 0).UTC()
			m.SentAt = &at
		}
	}
	return out
}

// A comment is stored as envelope and texts, both as JSON, and read back whole.
func TestEnvelopeAndTextsJoinToTheComment(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 500 {
		c := &comment.Comment{Messages: randomMessages(r)}
		var envelope []comment.Message
		var texts []comment.Texts
		raw, err := json.Marshal(c.Envelope())
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &envelope))
		for _, m := range envelope {
			require.Equal(t, []any{comment.Text{}, (*comment.Text)(nil), (*comment.Text)(nil)}, []any{m.Body, m.Subject, m.Signature}, "no text is in the envelope")
		}
		raw, err = json.Marshal(c.Texts())
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &texts))
		require.Equal(t, c.Texts(), texts)
		joined, err := comment.Join(envelope, texts)
		require.NoError(t, err)
		require.Equal(t, c.Messages, joined)
	}
}

func TestJoinOfDifferentLengths(t *testing.T) {
	t.Parallel()
	_, err := comment.Join(make([]comment.Message, 2), make([]comment.Texts, 1))
	require.EqualError(t, err, "join comment: 2 messages but 1 texts")
}

func TestEnvelopeDoesNotTouchTheComment(t *testing.T) {
	t.Parallel()
	c := good()
	require.Nil(t, c.Envelope()[0].Subject)
	require.Equal(t, good(), c)
}

// No two different lists of texts may look the same: the bill hangs on it.
func TestHashTextsTellsListsApart(t *testing.T) {
	t.Parallel()
	lists := [][]comment.Texts{
		nil,
		{{}},
		{{}, {}},
		{{Subject: "a"}}, {{Body: "a"}}, {{Signature: "a"}},
		{{Subject: "a", Body: "b"}}, {{Subject: "ab"}}, {{Body: "ab"}}, {{Subject: "b", Body: "a"}},
		{{Body: "a"}, {Body: "b"}}, {{Body: "ab"}, {}}, {{}, {Body: "ab"}}, {{Body: "b"}, {Body: "a"}},
		{{Body: "a", Signature: "b"}}, {{Body: "a"}, {Subject: "b"}},
		{{Body: "a "}}, {{Body: "A"}}, {{Body: "a\x00"}}, {{Body: "\x00a"}},
		{{Subject: "\x00\x00\x00\x00\x00\x00\x00\x01"}}, {{Body: "\x00\x00\x00\x00\x00\x00\x00\x01"}},
		{{Body: "e\u0301"}}, {{Body: "\u00e9"}},
	}
	seen := map[string]int{}
	for i, l := range lists {
		sum := comment.HashTexts(l)
		require.Len(t, sum, 32)
		if j, twice := seen[string(sum)]; twice {
			t.Errorf("lists %d and %d have the same hash: %q and %q", i, j, l, lists[j])
		}
		seen[string(sum)] = i
		require.Equal(t, sum, comment.HashTexts(l))
	}
}

func TestHashContentIsOfAllButTheTexts(t *testing.T) {
	t.Parallel()
	sum := func(change func(*comment.Comment)) string {
		c := good()
		change(c)
		h, err := c.HashContent()
		require.NoError(t, err)
		return string(h)
	}
	same := sum(func(*comment.Comment) {})
	for name, change := range map[string]func(*comment.Comment){
		"body":              func(c *comment.Comment) { c.Messages[0].Body.Text = "other" },
		"subject":           func(c *comment.Comment) { c.Messages[0].Subject.Text = "other" },
		"no subject":        func(c *comment.Comment) { c.Messages[0].Subject = nil },
		"signature":         func(c *comment.Comment) { c.Messages[0].Signature = &comment.Text{Text: "Ann"} },
		"another time zone": func(c *comment.Comment) { c.Timestamp = c.Timestamp.In(time.FixedZone("", 3600)) },
		"another sending zone": func(c *comment.Comment) {
			at := c.Messages[0].SentAt.In(time.FixedZone("", 3600))
			c.Messages[0].SentAt = &at
		},
	} {
		require.Equal(t, same, sum(change), name)
	}
	for name, change := range map[string]func(*comment.Comment){
		"timestamp":     func(c *comment.Comment) { c.Timestamp = c.Timestamp.Add(time.Second) },
		"thread":        func(c *comment.Comment) { c.ThreadID = "bb" },
		"from":          func(c *comment.Comment) { c.Messages[0].From = "" },
		"to":            func(c *comment.Comment) { c.Messages[0].To = append(c.Messages[0].To, "x") },
		"to becomes cc": func(c *comment.Comment) { c.Messages[0].To, c.Messages[0].Cc = nil, c.Messages[0].To },
		"sent_at":       func(c *comment.Comment) { c.Messages[0].SentAt = nil },
		"property":      func(c *comment.Comment) { c.Properties["number:Priority"] = 3.0 },
		"one property":  func(c *comment.Comment) { delete(c.Properties, "number:Priority") },
		"two messages":  func(c *comment.Comment) { c.Messages = append(c.Messages, comment.Message{}) },
	} {
		require.NotEqual(t, same, sum(change), name)
	}
	none, empty := good(), good()
	none.Properties, empty.Properties = nil, comment.Properties{}
	a, err := none.HashContent()
	require.NoError(t, err)
	b, err := empty.HashContent()
	require.NoError(t, err)
	require.Equal(t, a, b, "no properties, however they are spelt")
	c := good()
	c.Properties["number:Inf"] = math.Inf(1)
	_, err = c.HashContent()
	require.Error(t, err)
}

func TestValidID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{"a": true, "0123abcDEF_": true, "a.b-c": true, "a:b@c": true, "": false, "a b": false, "a/b": false, "ä": false, "a\n": false, "a\x00": false} {
		require.Equal(t, want, comment.ValidID(id), "%q", id)
	}
	path := regexp.MustCompile(`^[\w\x21-\x2e\x3a-\x40\x5b-\x60\x7b-\x7e]+$`) // as the API's schema has it
	for c := range 256 {
		id := string([]byte{'a', byte(c)})
		require.Equal(t, path.MatchString(id), comment.ValidID(id), "%q", id)
	}
}
