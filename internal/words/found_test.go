package words_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/words"
)

// marked is a text with what was found in brackets.
func marked(text string, places []words.Place) string {
	var b strings.Builder
	at := 0
	for _, p := range places {
		b.WriteString(text[at:p.Start] + "[" + text[p.Start:p.End] + "]")
		at = p.End
	}
	return b.String() + text[at:]
}

func TestFoundWordsAreMarked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ query, text, want string }{
		{"invoice", "The INVOICE, and invoices; re-invoice.", "The [INVOICE], and invoices; re-[invoice]."},
		{"ruckfrage", "Zur Rückfrage: Ru\u0308ckfrage!", "Zur [Rückfrage]: [Ru\u0308ckfrage]!"},
		{`"past due" late`, "past and due, past-due, due past; Late", "past and due, [past-due], due past; [Late]"},
		{"past-due", "past\ndue", "[past\ndue]"},
		{"refund OR credit -paid", "refund, credit, paid", "[refund], [credit], paid"},
		{"請求", "ご請求書です", "ご[請求]書です"},
		{"請求書", "ご請求書です。請 求書", "ご[請求書]です。請 求書"},
		{"書", "書 請求書", "[書] 請求書"},
		{"a", "", ""},
		{"aa", strings.Repeat("a", 100), strings.Repeat("a", 100)},
		{"straße", "STRASSE Straße", "[STRASSE] [Straße]"},
	} {
		q, err := words.ParseQuery(tt.query)
		require.NoError(t, err)
		require.Equal(t, tt.want, marked(tt.text, q.Found(tt.text)), "%s in %q", tt.query, tt.text)
	}
	require.Empty(t, words.Query{}.Found("anything"))
}

// What is found has something to show for it, whatever it is made of.
func TestWhatMatchesIsMarked(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	alphabet := []rune("abÄßéİ 1-_.請求書カー한\u0308\u200f\u202eﬁ\n")
	matches := 0
	for range 20_000 {
		text := make([]rune, rng.IntN(24))
		for i := range text {
			text[i] = alphabet[rng.IntN(len(alphabet))]
		}
		from := rng.IntN(len(text) + 1)
		part := string(text[from : from+rng.IntN(len(text)-from+1)])
		q, err := words.ParseQuery(strings.ReplaceAll(part, "-", " "))
		if err != nil {
			continue
		}
		f := words.Filter{Query: q}
		places := q.Found(string(text))
		end := 0
		for _, p := range places {
			require.True(t, end <= p.Start && p.Start < p.End && p.End <= len(string(text)), "%q in %q: %v", part, string(text), places)
			end = p.End
		}
		if f.Matches(&comment.Comment{Timestamp: time.Now(), Messages: []comment.Message{{Body: comment.Text{Text: string(text)}}}}) {
			matches++
			require.NotEmpty(t, places, "%q in %q", part, string(text))
		}
	}
	require.Greater(t, matches, 5000)
}
