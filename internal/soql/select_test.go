package soql

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
)

func TestSelectBuild(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 11, 50, 0, 999e6, time.FixedZone("", 7200))
	incoming, err := Parse("Incoming = true OR Status = '0'")
	require.NoError(t, err)
	text, err := Select{
		Fields: []string{"Id", "SystemModstamp", "Parent.CaseNumber"},
		From:   "EmailMessage",
		Where: AllOf(
			Past("SystemModstamp", at, "02sdM00000abcdEQAQ"),
			AtOrBefore("SystemModstamp", at.Add(10*time.Minute)),
			incoming,
			Negate(OneOf("Status", "5")),
			nil),
		OrderBy: []Order{{Field: "SystemModstamp"}, {Field: "Id", Descending: true}},
		Limit:   2000,
	}.Build()
	require.NoError(t, err)
	require.Equal(t, "SELECT Id, SystemModstamp, Parent.CaseNumber FROM EmailMessage WHERE "+
		"((SystemModstamp = 2026-11-23T09:50:00Z AND Id > '02sdM00000abcdEQAQ') OR SystemModstamp > 2026-11-23T09:50:00Z) "+
		"AND SystemModstamp <= 2026-11-23T10:00:00Z AND (Incoming = true OR Status = '0') AND (NOT Status IN ('5')) "+
		"ORDER BY SystemModstamp ASC, Id DESC LIMIT 2000", text)

	require.Equal(t, "SELECT COUNT() FROM Case", Select{Fields: []string{CountAll}, From: "Case"}.String())
	require.Equal(t, "SystemModstamp >= 2026-11-23T09:50:00Z", Past("SystemModstamp", at, "").String())
	require.Nil(t, AllOf(nil, nil))
	require.Nil(t, Negate(nil))
}

func TestSelectRefuses(t *testing.T) {
	t.Parallel()
	ok := Select{Fields: []string{"Id"}, From: "Case"}
	for name, c := range map[string]struct {
		change  func(*Select)
		message string
	}{
		"object":         {func(s *Select) { s.From = "Case LIMIT 1" }, "object to select from"},
		"no field":       {func(s *Select) { s.Fields = nil }, "selects no field"},
		"field":          {func(s *Select) { s.Fields = []string{"Id, (SELECT Id FROM Cases)"} }, "not a letter"},
		"twice":          {func(s *Select) { s.Fields = []string{"Id", "ID"} }, "selects ID twice"},
		"count and more": {func(s *Select) { s.Fields = []string{CountAll, "Id"} }, "not a letter"},
		"order":          {func(s *Select) { s.OrderBy = []Order{{Field: "Id DESC"}} }, "order of Case"},
		"limit":          {func(s *Select) { s.Limit = -1 }, "limit -1"},
		"empty list":     {func(s *Select) { s.Where = OneOf("Id") }, "empty"},
		"path":           {func(s *Select) { s.Where = Compare("Id = '' OR Id", Equal, NullLiteral()) }, "not a letter"},
		"operator":       {func(s *Select) { s.Where = Compare("Id", "= null OR Id =", NullLiteral()) }, "no single value"},
		"bare literal": {func(s *Select) {
			s.Where = Compare("Id", Equal, Literal{Number, "1 OR Id != null"})
		}, "not a number"},
		"nil term": {func(s *Select) { s.Where = Not{} }, "empty term"},
		"too long": {func(s *Select) { s.Where = Compare("A", Equal, StringLiteral(strings.Repeat("x", MaxQueryLength))) }, "more than the 100000"},
	} {
		s := ok
		c.change(&s)
		_, err := s.Build()
		require.ErrorContains(t, err, c.message, name)
		require.Equal(t, fault.Invalid, fault.KindOf(err), name)
		require.True(t, strings.HasPrefix(s.String(), "!"), name)
	}
}

// Whatever a value holds, it comes back from the rendered condition and nothing leaks out of its quotes.
func TestQuoteKeepsEveryValue(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(7, 7))
	alphabet := []rune("ab'\"\\%_\n\r\t\b\f\x00\x1f\x7f;()é😀\u2028")
	for range 3000 {
		r := make([]rune, rnd.IntN(12))
		for i := range r {
			r[i] = alphabet[rnd.IntN(len(alphabet))]
		}
		want := OneOf("A", string(r), "x")
		got, err := Parse(want.String())
		require.NoError(t, err, want.String())
		require.Equal(t, want, got)
	}
}

// Random trees survive render and parse.
func TestRandomTreesRoundTrip(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	var tree func(depth int) Expr
	tree = func(depth int) Expr {
		n := rnd.IntN(7)
		if depth == 0 {
			n = rnd.IntN(4)
		}
		many := func() []Expr {
			terms := make([]Expr, 2+rnd.IntN(2))
			for i := range terms {
				terms[i] = tree(depth - 1)
			}
			return terms
		}
		switch n {
		case 0:
			return Compare("A.B", GreaterOrEqual, IntLiteral(rnd.Int64()))
		case 1:
			return Compare("C", Like, Literal{Pattern, `a\%_\\'`})
		case 2:
			return In{"D", IsNotIn, []Literal{StringLiteral("x'"), NullLiteral(), BoolLiteral(true)}}
		case 3:
			return AtOrBefore("E", time.Unix(rnd.Int64N(4e9), 0))
		case 4:
			return AllOf(many()...)
		case 5:
			return AnyOf(many()...)
		}
		return Negate(tree(depth - 1))
	}
	for range 500 {
		want := tree(4)
		got, err := Parse(want.String())
		require.NoError(t, err, want.String())
		require.Equal(t, want, got)
	}
}
