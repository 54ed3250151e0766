package clean_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"salesforcesync/internal/clean"
)

// pieces are what random texts and documents are put together from: what people write,
// what programs write around it, and what breaks.
var pieces = []string{
	"Hello", "wir", "GRÜSSE", "été", "Привет", "您好", "שלום", "مرحبا", "สวัสดี", "한국", "e\u0301", "o\u0308", "👍🏽", "👩\u200d💻", "🇩🇪",
	" ", " ", "\n", "\r\n", "\t", "\n\n", ".", ", ", "? ", "- ", "-- \n", "> ", ">", "* ", "1. ", "_____", "a@b.example", "https://acme.example/x",
	"\x00", "\x07", "\u0085", "\u009f", "\ufeff", "\u00a0", "\u200b", "\u00ad", "\u202e", "\u2028", "\xff", "\xed\xa0\x80", "\ufffd",
	"<p>", "</p>", "<div>", "</div>", "<br>", "<b>", "</b>", "<td>", "<tr>", "</table>", "<table>", "<ul>", "<li>", "</ul>", "<blockquote>", "</blockquote>",
	"<pre>", "</pre>", "<!--", "-->", "<", "&", "&lt;", "&#65;", "<style>", "</style>", "<a href='http://a'>", "</a>", "<hr>", `<p class="`, `<o:p>`,
	"On 1 May 2026, Ann wrote:\n", "From: Ann\nSent: today\nTo: Bob\nSubject: x\n", "-----Original Message-----\n", "Kind regards\nAnn", "Sent from my phone",
}

// random puts up to n pieces together, always the same for a seed.
func random(rng *rand.Rand, n int) string {
	var b strings.Builder
	for range rng.IntN(n) {
		b.WriteString(pieces[rng.IntN(len(pieces))])
	}
	return b.String()
}

// letterCounts counts the letters of a text in their composed form.
func letterCounts(s string) map[rune]int {
	counts := map[rune]int{}
	for _, r := range norm.NFC.String(strings.ToValidUTF8(s, "\uFFFD")) {
		if unicode.IsLetter(r) || unicode.IsSymbol(r) && r > 0xFF && r != '\uFFFD' {
			counts[r]++
		}
	}
	return counts
}

// within asserts that all letters of a text come from another.
func within(t *testing.T, text, source string) {
	t.Helper()
	have := letterCounts(source)
	for r, n := range letterCounts(text) {
		require.LessOrEqual(t, n, have[r], "%q of %q comes from nowhere in %q", r, text, source)
	}
}

// What comes out was in there: no letter is made up, none doubled.
func TestTextsAreMadeOfTheirInput(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 26))
	for range 2000 {
		in := random(rng, 60)
		text := clean.Text(in)
		wellFormed(t, text)
		within(t, text, in)
		require.Equal(t, text, clean.Text(text))

		page := clean.HTML(in)
		wellFormed(t, page)
		within(t, page, strings.ReplaceAll(in, "&#65;", "A"))
		require.Equal(t, page, clean.Text(page))

		for _, m := range []clean.Mail{{Text: in}, {HTML: in}, {Text: in, HTML: in, FromName: "Ann", FromAddress: "ann@b.example", Subject: "Fwd: x"}} {
			r := clean.Split(m)
			whole(t, r)
			within(t, r.Reply+r.Quoted+r.Signature, r.Text)
			require.Equal(t, r.Reply, clean.Text(r.Reply), "a reply is clean text")
		}
	}
}

// Words that a page shows apart are apart in its text, whatever boxes they are in, and
// what belongs to one word stays in one.
func TestWordsNeverRunTogether(t *testing.T) {
	t.Parallel()
	apart := [][2]string{
		{"<p>", "</p>"}, {"<div>", "</div>"}, {"<td>", "</td>"}, {"<tr><td>", "</td></tr>"}, {"<table><tr><td>", "</td></tr></table>"}, {"<li>", "</li>"},
		{"<ul><li>", "</ul>"}, {"<h2>", "</h2>"}, {"<blockquote style='border:none'>", "</blockquote>"}, {"", "<br>"}, {"<br/>", ""}, {"", "<hr>"}, {"<p>", ""}, {"<div><div>", "</div></div>"},
		{"<div style='display:inline-block'>", "</div>"}, {"<span style='display: inline-block; width:50%'>", "</span>"}, {"<div style='display:inline'>", "</div>"},
		{"<span style='display:block'>", "</span>"}, {"<span style='display:inline-flex'>", "</span>"}, {"<center>", "</center>"}, {"<pre>", "</pre>"}, {"<section>", "</section>"},
		{"<dt>", ""}, {"<dd>", ""}, {"<img src='x.png' alt='x'>", ""}, {"<button>", "</button>"}, {"<select><option>no</select>", ""}, {"&nbsp;", ""}, {"", "&emsp;"}, {"<p class=MsoNormal>", "<o:p></o:p></p>"},
		{"<th>", "</th>"}, {"<caption>", "</caption>"}, {"<fieldset>", "</fieldset>"}, {"\n", ""}, {"", " "}, {"<div><p>", "</p></div>"}, {"<font size=2><div>", "</div></font>"},
	}
	together := [][2]string{{"<b>", "</b>"}, {"<span>", "</span>"}, {"<i><u>", "</u></i>"}, {"<!-- x -->", ""}, {"&shy;", ""}, {"<wbr>", ""}, {"<font color=red>", "</font>"}, {"<o:p></o:p>", ""}, {"\u200b", ""}, {"<!--[if mso]>no<![endif]-->", ""}}
	marks := regexp.MustCompile(`^(-|\d+\.|>)$`)
	rng := rand.New(rand.NewPCG(7, 1))
	for range 5000 {
		var document strings.Builder
		var want []string
		for n := range 1 + rng.IntN(12) {
			box := apart[rng.IntN(len(apart))]
			document.WriteString(box[0])
			word := ""
			for part := range 1 + rng.IntN(3) {
				inner := together[rng.IntN(len(together))]
				piece := fmt.Sprintf("w%cx%c", 'a'+n, 'a'+part)
				document.WriteString(inner[0] + piece + inner[1])
				word += piece
			}
			document.WriteString(box[1])
			want = append(want, word)
			if box[1] == "" || box[0] == "" { // such a box has one side only
				document.WriteString(" ")
			}
		}
		var got []string
		for _, field := range strings.Fields(clean.HTML(document.String())) {
			if !marks.MatchString(field) {
				got = append(got, field)
			}
		}
		require.Equal(t, want, got, "%s", document.String())
	}
}

// A reply by itself is a reply: whoever cleans what was cleaned loses nothing.
func TestAReplyByItselfStays(t *testing.T) {
	t.Parallel()
	all, changed := 0, 0
	for _, folder := range []string{"quotes", "endings"} {
		files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
		require.NoError(t, err)
		for _, file := range files {
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			reply := clean.Split(clean.Mail{Text: string(body)}).Reply
			all++
			if again := clean.Split(clean.Mail{Text: reply}).Reply; again != reply {
				changed++
				t.Logf("%s: %q became %q", file, reply, again)
			}
		}
	}
	require.Greater(t, all, 300)
	require.LessOrEqual(t, changed, all/100, "where answers stand between quotations that say whose they are")
}

// The buffers that are used again do not carry anything from one mail to the next.
func TestTheSameInputGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(9, 2))
	inputs := make([]string, 200)
	want := make([]clean.Result, len(inputs))
	for i := range inputs {
		inputs[i] = random(rng, 80)
		want[i] = clean.Split(clean.Mail{HTML: inputs[i], Text: inputs[i]})
	}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range inputs {
				n := (i*7 + worker*31) % len(inputs)
				if got := clean.Split(clean.Mail{HTML: inputs[n], Text: inputs[n]}); got.Text != want[n].Text || got.Reply != want[n].Reply || len(got.Spans) != len(want[n].Spans) {
					t.Errorf("%q gives %q and %q", inputs[n], want[n].Reply, got.Reply)
				}
			}
		})
	}
	all.Wait()
}
