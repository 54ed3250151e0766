package clean_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
)

func TestText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"line ends":           {"a\r\nb\rc\n", "a\nb\nc"},
		"control characters":  {"a\x00b\x07c\td", "abc\td"},
		"not UTF-8":           {"caf\xe9", "caf\uFFFD"},
		"blanks at line ends": {"  a  \n b \t\n", "a\n b"},
		"emoji stay":          {"👩‍👩‍👧 ok", "👩‍👩‍👧 ok"},
		"right to left stays": {"שלום עולם", "שלום עולם"},
		"blank":               {" \r\n\t ", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, clean.Text(c.in))
		})
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Re:  two  spaces", clean.Line(" Re:  two  spaces\r\n\x00 "))
	require.Equal(t, "folded line", clean.Line("folded\r\n line"))
}

func TestHTML(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"paragraphs":  {"<p>Hello</p><p>World</p>", "Hello\n\nWorld"},
		"entities":    {"a &amp; b &eacute;", "a & b é"},
		"scripts go":  {"<script>alert(1)</script><style>p{}</style>x", "x"},
		"unclosed":    {"<p>one<p>two<b>three", "one\n\ntwo *three*"},
		"NUL":         {"a\x00b", "ab"},
		"nothing":     {"", ""},
		"tags only":   {"<div><br></div>", ""},
		"comments go": {"x<!-- <p>hidden</p> -->y", "x y"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, clean.HTML(c.in))
		})
	}
}

func TestHTMLNestedDeeperThanTheParserReads(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("<div>", 5000) + "found<script>not me</script>" + strings.Repeat("</div>", 5000)
	require.Equal(t, "found", clean.HTML(deep))
}

func TestCut(t *testing.T) {
	t.Parallel()
	got, cut := clean.Cut("äöü", 2)
	require.True(t, cut)
	require.Equal(t, "äö", got)
	got, cut = clean.Cut("äöü", 3)
	require.False(t, cut)
	require.Equal(t, "äöü", got)
}

func FuzzHTML(f *testing.F) {
	f.Add("<p>Hello <b>World</b></p>")
	f.Add("<table><tr><td>1<td>2</table>")
	f.Add("<!-- <!DOCTYPE <![CDATA[ \x00 &#0; &nosuch;")
	f.Fuzz(func(t *testing.T, in string) {
		first := clean.HTML(in)
		require.True(t, utf8.ValidString(first))
		require.NotContains(t, first, "\x00")
		require.Equal(t, first, clean.HTML(in), "the same input gives the same text")
	})
}
