package comment_test

import (
	"crypto/sha256"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
)

// anyText has what JSON, HTML and PostgreSQL treat in a way of their own, and what is not UTF-8.
func anyText(r *rand.Rand) string {
	alphabet := []string{"a", "word ", "\n", "\r", "\t", "\b", "\f", "\x00", "\x1f", "\x7f", "é", "👩", "\u2028", "\u2029", "\u202a", "\ufffd", "<", ">", "&", "'", "\"", "\\", "/", "Ω",
		"\x80", "\xff", "\xe2\x80", "\xf0\x9f", "\xc3", "\xed\xa0\x80"}
	var b strings.Builder
	for range r.IntN(12) {
		b.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

func anyList(r *rand.Rand) []string {
	if r.IntN(3) == 0 {
		return nil
	}
	out := make([]string, r.IntN(3))
	for i := range out {
		out[i] = anyText(r)
	}
	return out
}

func anyTime(r *rand.Rand) time.Time {
	at := time.Unix(r.Int64N(4e9)-1e9, int64(r.IntN(3))*123_456_000)
	if r.IntN(2) == 0 {
		return at.In(time.FixedZone("", r.IntN(24)*3600-12*3600))
	}
	return at.UTC()
}

func anyComment(r *rand.Rand) *comment.Comment {
	c := &comment.Comment{ID: anyText(r), Timestamp: anyTime(r), ThreadID: anyText(r), Messages: make([]comment.Message, 1+r.IntN(3)), Properties: comment.Properties{}}
	for i := range c.Messages {
		m := &c.Messages[i]
		*m = comment.Message{Body: comment.Text{Text: anyText(r)}, From: anyText(r), To: anyList(r), Cc: anyList(r), Bcc: anyList(r), Language: anyText(r)}
		if r.IntN(2) == 0 {
			m.Subject, m.Signature = &comment.Text{Text: anyText(r)}, &comment.Text{Text: anyText(r)}
			if r.IntN(2) == 0 {
				m.Body.TranslatedFrom, m.Subject.TranslatedFrom = anyText(r), anyText(r)
			}
		}
		if r.IntN(2) == 0 {
			at := anyTime(r)
			m.SentAt = &at
		}
	}
	if r.IntN(2) == 0 {
		c.TextFormat = comment.Markdown
		c.Attachments = []comment.Attachment{{Name: anyText(r), Size: r.Int64N(9), ContentType: anyText(r), Inline: r.IntN(2) == 0}}
	}
	for range r.IntN(40) {
		c.Properties["string:"+anyText(r)] = anyText(r)
		c.Properties["number:"+anyText(r)] = []float64{0, 1, -2.5, 1e21, 1e-7, 3e-300, math.MaxFloat64, r.NormFloat64()}[r.IntN(8)]
	}
	return c
}

// Stored hashes were made of what encoding/json writes.
func TestEncodingIsThatOfEncodingJSON(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	want := func(v any) string {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		return string(raw)
	}
	for range 3000 {
		c := anyComment(r)
		envelope, err := c.AppendEnvelope([]byte("before"))
		require.NoError(t, err)
		require.Equal(t, "before"+want(c.Envelope()), string(envelope))
		require.Equal(t, want(c.Texts()), string(c.AppendTexts(nil)))
		properties, err := c.Properties.Append(nil)
		require.NoError(t, err)
		require.Equal(t, want(c.Properties), string(properties))

		bare := *c
		bare.Timestamp, bare.Messages = c.Timestamp.UTC(), c.Envelope()
		for i, m := range bare.Messages {
			if m.SentAt != nil {
				at := m.SentAt.UTC()
				bare.Messages[i].SentAt = &at
			}
		}
		sum := sha256.Sum256([]byte(want(bare)))
		got, err := c.HashContent()
		require.NoError(t, err)
		require.Equal(t, sum[:], got)
	}
}

// The hash of texts as releases made it.
func TestHashTextsStaysWhatItIs(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 500)
	h := sha256.New()
	for _, s := range []string{"S", long, "", "", long[:512], long[:513]} {
		h.Write([]byte{0, 0, 0, 0, 0, 0, byte(len(s) >> 8), byte(len(s))})
		h.Write([]byte(s))
	}
	require.Equal(t, h.Sum(nil), comment.HashTexts([]comment.Texts{{Subject: "S", Body: long}, {Body: long[:512], Signature: long[:513]}}))
}

func TestEncodingRefusesWhatJSONCannotHold(t *testing.T) {
	t.Parallel()
	c := good()
	c.Properties["number:NaN"] = math.NaN()
	_, err := c.Properties.Append(nil)
	require.ErrorContains(t, err, "NaN")
	late := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	c = good()
	c.Timestamp = late
	_, err = c.HashContent()
	require.Error(t, err)
	c = good()
	c.Messages[0].SentAt = &late
	_, err = c.AppendEnvelope(nil)
	require.Error(t, err)
	none, err := comment.Properties(nil).Append(nil)
	require.NoError(t, err)
	require.Equal(t, "{}", string(none))
}
