package words

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Grüße, RE: Re-Opened #00001026!": "grusse re re opened 00001026",
		"ann@example.com":                 "ann example com",
		"don’t":                           "don t",
		"東京都庁":                            "東京 京都 都庁",
		"price 五 €":                       "price 五",
		"v2の東京":                           "v2 の東 東京",
		"  \t—…":                          "",
		"привет МИР":                      "привет мир",
		strings.Repeat("ж", 40):           strings.Repeat("ж", 32),
	} {
		require.Equal(t, want, strings.Join(tokens(text), " "), text)
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	c := &comment.Comment{ID: "a", ThreadID: "t1", Timestamp: time.Date(2024, 3, 1, 0, 30, 0, 0, time.UTC), Messages: []comment.Message{
		{Subject: &comment.Text{Text: "Refund of invoice 4711"}, Body: comment.Text{Text: "The invoice is past due. Größe: XL"}, From: "Ann Example <ann@example.com>"},
		{Body: comment.Text{Text: "第二部"}},
	}, Properties: comment.Properties{"string:Case Number": "0001", "number:Score": 3.0}}
	for q, want := range map[string]bool{
		"refund":                  true,
		"REFUND grosse":           true,
		"refund credit":           false,
		"credit OR refund":        true,
		"credit OR past xl":       true,
		`"past due"`:              true,
		`"due past"`:              false,
		`"4711 the"`:              false, // subject and body do not touch
		"past-due":                true,
		"invoice -paid":           true,
		"invoice -refund":         false,
		`invoice -"due past"`:     true,
		`invoice -"past due"`:     false,
		"ann@example.com":         true,
		"ann@example.org":         false,
		"第二":                      true,
		"二第":                      false,
		"or":                      false,
		`"OR" OR refund`:          true,
		"paid OR invoice -refund": false,
	} {
		query, err := ParseQuery(q)
		require.NoError(t, err, q)
		f := Filter{Query: query}
		require.Equal(t, want, f.Matches(c), q)
		require.True(t, f.NeedsIndex())
	}
	for _, bad := range []string{"", "  ", "-paid", "refund OR", "OR refund", "refund OR -paid", `"past due`, "…", "\xff", strings.Repeat("a ", 40), strings.Repeat("a", 1025)} {
		_, err := ParseQuery(bad)
		require.True(t, fault.Is(err, fault.Invalid), "%q: %v", bad, err)
	}

	require.True(t, (&Filter{Properties: []string{"string:Case Number=0001", "number:Score=3"}, ThreadID: "t1"}).Matches(c))
	require.False(t, (&Filter{Properties: []string{"string:Case Number=0002"}}).Matches(c))
	require.False(t, (&Filter{Properties: []string{"string:Score=3"}}).Matches(c))
	require.False(t, (&Filter{ThreadID: "t2"}).Matches(c))
	require.False(t, (&Filter{ThreadID: "t2"}).NeedsIndex())
}

// What is looked up in an index must name every comment that matches.
func TestLookupsNameWhatLexemesSay(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 3, 1, 0, 30, 0, 0, time.FixedZone("", 3600)) // still February in UTC
	c := &comment.Comment{ID: "a", ThreadID: "t1", Timestamp: at, Messages: []comment.Message{{Body: comment.Text{Text: "It's the past"}}},
		Properties: comment.Properties{"string:A'B\\": "c=d"}}
	kept := Lexemes(37, c)
	for _, want := range []string{"'11:it' ", "'11:s' ", "'11:past' ", Day.Lookup(37, at), Month.Lookup(37, at), "'11@202402' ", "'11@20240229' "} {
		require.Contains(t, kept, want)
	}
	q, err := ParseQuery(`past -"it past" -gone OR future`)
	require.NoError(t, err)
	f := Filter{Query: q, Properties: []string{"string:A'B\\=c=d"}, ThreadID: "t1"}
	require.True(t, f.Matches(c))
	lookup := f.Lookup(37)
	require.True(t, strings.HasPrefix(lookup, "(('11:past' & !'11:gone' ) | ('11:future' )) & '11="), lookup)
	for _, part := range strings.Split(lookup, " & ")[2:] {
		require.Contains(t, kept, part, "a property and a thread")
	}
	require.NotContains(t, kept, "c=d")

	from, to := Month.Bounds(at)
	require.Equal(t, "2024-02-01 2024-03-01", from.Format(time.DateOnly)+" "+to.Format(time.DateOnly))
	from, to = Day.Bounds(at)
	require.Equal(t, "2024-02-29 2024-03-01", from.Format(time.DateOnly)+" "+to.Format(time.DateOnly))
}
