package clean_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
)

func TestHTML(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		// Blocks and lines.
		"nothing":                    {"", ""},
		"tags only":                  {"<div><br></div>", ""},
		"no tags":                    {"just\n text &amp; more", "just\n text & more"},
		"paragraphs":                 {"<p>Hello</p><p>World</p>", "Hello\n\nWorld"},
		"divs are lines":             {"<div>a</div><div>b<div>c</div></div>d", "a\nb\nc\nd"},
		"a div of a break is blank":  {"<div>a</div><div><br></div><div>b</div>", "a\n\nb"},
		"a break ends the line once": {"<div>a<br></div><div>b</div>", "a\nb"},
		"breaks":                     {"a<br>b<br/>c<br><br><br>d</br>e", "a\nb\nc\n\nd\ne"},
		"headings":                   {"<h1>Title</h1>text<h2>More</h2>", "Title\n\ntext\n\nMore"},
		"margin of nothing":          {`<p style="margin:0">a</p><p style="MARGIN-TOP: 0px; margin-bottom:.0001pt">b</p><p style='margin:0 0 12px'>c</p><p style="margin:0cm">d</p>`, "a\nb\nc\n\nd"},
		"inline elements run on":     {"<b>b</b><i>i</i> <span>s</span>", "bi s"},
		"white space collapses":      {"a \n\t b<span> </span> c", "a b c"},
		"a block by style":           {`a<span style="display:block">b</span>c`, "a\nb\nc"},
		"a line by style":            {`<div style="display:inline">a</div> <div style="display: inline-block">b</div>`, "a b"},
		"unclosed":                   {"<p>one<p>two<b>three", "one\n\ntwothree"},
		"no-break spaces":            {"a&nbsp;&nbsp;b\u00a0 c", "a b c"},
		"a line of a no-break space": {"<div>a</div><div>&nbsp;</div><div>b</div>", "a\n\nb"},
		"a rule":                     {"a<hr>b", "a\n\nb"},
		"definition lists":           {"<dl><dt>Term<dd>Meaning</dl>x", "Term\nMeaning\nx"},
		"preformatted":               {"<pre>\n a  b\n\n\tc\n</pre>d", "a  b\n\n\tc\nd"},
		"preformatted by style":      {"x<div style='white-space: pre-wrap'>a  b\n  c</div>", "x\na  b\n  c"},
		"two documents":              {"<html><body>a</body></html><html><body>b</body></html>", "ab"},

		// Lists and tables.
		"a list":                  {"<p>x</p><ul><li>a</li><li>b</li></ul><p>y</p>", "x\n\n- a\n- b\n\ny"},
		"a list without ends":     {"<ul><li>a<li>b<ul><li>c</ul><li>d</ul>", "- a\n- b\n  - c\n- d"},
		"a list in a wrong place": {"<ul>x<li><p>a</p><p>b</p></li></ul>", "x\n- a\n\n  b"},
		"numbers":                 {`<ol start="3"><li>a</li><li value="7">b</li><li></li><li>c</li></ol>`, "3. a\n7. b\n9. c"},
		"a list without marks":    {`<ul style="list-style:none"><li>a</li></ul>`, "a"},
		"a table":                 {"<table><tr><td>a</td><td>b</td></tr><tr><td>c<td>d</table>e", "a\tb\nc\td\ne"},
		"a table of Word's":       {`<table><tr><td><p class=MsoNormal>a</p></td> <td><p class=MsoNormal>b</p></td></tr></table>`, "a\tb"},
		"empty cells of data":     {"<table border=1><tr><td>a<td><td>b<tr><td><td>c<td></table>", "a\t\tb\n\tc"},
		"empty cells of a layout": {"<table><tr><td>a<td>&nbsp;<td>b<tr><td> <td>c<td></table>", "a\tb\nc"},
		"a heading makes data":    {"<table><tr><th>a<th>b<tr><td><td>c</table>", "a\tb\n\tc"},
		"cells of many lines":     {"<table><tr><td>a<br>b</td><td>c</td></tr></table>", "a\nb\nc"},
		"a table in a table":      {"<table><tr><td><table><tr><td>a<td>b</tr></table></td><td>c</td></tr></table>", "a\tb\tc"},

		// Characters.
		"entities":            {"a &amp; b &eacute; &euro; &hellip; &nosuch; &amp;lt; AT&T &copy2 &", "a & b é € … &nosuch; &lt; AT&T ©2 &"},
		"entities of two":     {"&NotEqualTilde;", "\u2242\u0338"},
		"numbers of entities": {"&#65;&#x42;&#X43 &#8364; &#150; &#; &#x; &#0; &#99999999;", "ABC € – &#; &#x; \uFFFD \uFFFD"},
		"halves of an emoji":  {"&#55357;&#56832; &#xD83D;", "😀 \uFFFD"},
		"composed":            {"e&#769;, E\u0301 and\u200b\u00ad so", "é, É and so"},
		"control characters":  {"a\x00b&#7;c\u0085d&#12;e", "abcd e"},
		"Windows as Latin-1":  {"<p>it\u0092s \u0093so\u0094</p>", "it’s “so”"},
		"wide blanks":         {"a\u2000b&emsp;c\u3000<p>\u2003</p>d", "a\u2002b\u2003c\n\nd"},
		"joined emoji":        {"👩\u200d💻 می\u200cخواهم", "👩\u200d💻 می\u200cخواهم"},
		"right to left":       {"<p dir=rtl>שלום &rlm;(עולם)</p>", "שלום \u200f(עולם)"},
		"emoji as pictures":   {`ok <img alt="👍" src="x.png"><img alt="Logo" src="y.png"><img alt="image001.png">`, "ok 👍"},
		"not UTF-8":           {"<p>caf\xe9", "caf\uFFFD"},

		// What nobody sees.
		"scripts and styles":   {"<script>if(a<b){alert('</p>')}</script><style>p{}</STYLE >x<title>t</title>", "x"},
		"head":                 {"<head><title>t</title><meta x><style>a</style></head><body>b", "b"},
		"comments":             {"x<!-- <p>hidden</p> -->y<!-->z<!--->!<!-- a --!>?", "xyz!?"},
		"conditional comments": {"<!--[if mso]><p>Outlook</p><![endif]--><![if !mso]>a<![endif]><!--[if !mso]><!-->b<!--<![endif]-->", "ab"},
		"display none":         {`a<div style="color:red; DISPLAY : none !important">b<div>c</div>d</div>e`, "ae"},
		"hidden spans":         {`a<span style="display:none">b<span>c</span>d</span>e`, "ae"},
		"hidden cells":         {`<table><tr><td>a<td style="display:none">b<td>c<tr hidden><td>d<tr><td>e</table>`, "a\tc\ne"},
		"preheader":            {`<div style="font-size:0px;line-height:1px;max-height:0;overflow:hidden">Save now &zwnj;&nbsp;&zwnj;</div>Hi &#847;&zwnj;&nbsp;&zwnj;&shy;`, "Hi"},
		"letters of no size":   {`<td style="font-size:0">x<div style="font-size:13px">a</div>y</td>b`, "a\nb"},
		"opacity":              {`<p style="opacity:0">a</p><p style="opacity:0.5">b</p>`, "b"},
		"last declaration":     {`<p style="display:none;display:block">a</p>`, "a"},
		"tracking picture":     {`a<img src="https://t.example/o.gif" width=1 height=1 alt="">`, "a"},
		"select and svg":       {"a<select><option>b</select><svg><text>c</text></svg>d", "a d"},
		"unseen without end":   {"<div>a<svg><text>b</div>c", "a\nc"},

		// Links.
		"a link":            {`see <a href="https://example.com/a?b=1&amp;c=2">our page</a>.`, "see our page <https://example.com/a?b=1&c=2>."},
		"a link that says":  {`<a href="https://www.example.com/">example.com</a> <a href="http://t.example/x">https://example.com/long</a>`, "example.com https://example.com/long"},
		"a mail address":    {`<a href="mailto:joe@x.example?subject=a">joe@x.example</a>, <a href="mailto:ann@x.example">Ann</a>`, "joe@x.example, Ann <ann@x.example>"},
		"other links":       {`<a href="#top">up</a> <a href="javascript:x()">run</a> <a href="tel:+49">call</a> <a>none</a> <a href="http://e.example"></a>`, "up run call none"},
		"a wrapped link":    {`<a href="https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fdocs.example%2Fa&amp;data=05%7C01">docs</a>`, "docs <https://docs.example/a>"},
		"a link too long":   {`<a href="https://t.example/` + strings.Repeat("x", 300) + `">offer</a>`, "offer"},
		"a link of a block": {`<a href="https://e.example/x"><div>Shop</div></a>now`, "Shop <https://e.example/x>\nnow"},
		"links unclosed":    {`<a href="https://e.example/1">a <a href="https://e.example/2">b`, "a <https://e.example/1> b <https://e.example/2>"},

		// Quotations.
		"a quotation":            {`hi<blockquote type="cite">a<br>b<p>c</p></blockquote>bye`, "hi\n> a\n> b\n>\n> c\n\nbye"},
		"a quotation in another": {`<blockquote type=cite>a<blockquote type=cite>b</blockquote></blockquote>`, "> a\n> > b"},
		"indented, not quoted":   {`<blockquote style="margin:0 0 0 40px;border:none;padding:0px">a</blockquote>`, "a"},
		"a quotation of Gmail's": {`<div>new</div><div class="gmail_quote"><div class="gmail_attr">On Mon, A wrote:<br></div><blockquote class="gmail_quote" style="margin:0 0 0 .8ex;border-left:1px #ccc solid;padding-left:1ex">old</blockquote></div>`, "new\nOn Mon, A wrote:\n> old"},

		// Word.
		"paragraphs of Word's": {`<p class=MsoNormal>a<o:p></o:p></p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class="MsoNormal">b</p><p class=MsoNormal>c</p>`, "a\n\nb\nc"},
		"a list of Word's": {`<p class=MsoListParagraph style='text-indent:-18.0pt;mso-list:l0 level1 lfo1'><![if !supportLists]><span style='font-family:Symbol'><span style='mso-list:Ignore'>·<span style='font:7.0pt "Times New Roman"'>&nbsp;&nbsp; </span></span></span><![endif]>first</p>` +
			`<p class=MsoListParagraph><span style='mso-list:Ignore'>2.<span>&nbsp; </span></span>second</p>`, "- first\n2. second"},

		// Broken.
		"no tags after all":     {"a < b, x<3, if a<b then", "a < b, x<3, if a<b then"},
		"addresses in brackets": {"On Mon, Joe <joe@example.com> wrote: <https://example.com/x>", "On Mon, Joe <joe@example.com> wrote: <https://example.com/x>"},
		"a quote unclosed":      {`<p class="x>a</p><p>b`, "a\n\nb"},
		"a quote too many":      {`<p class="x"">a</p>b`, "a\n\nb"},
		"greater in a quote":    {`<p title="a>b">c`, "c"},
		"a comment unclosed":    {"a<!-- b > c", "a c"},
		"ends without starts":   {"</div>a</b></td>b</p>c</table>", "ab\n\nc"},
		"crossed":               {"<b><p>a</b>b</p>c<div><i>d</div>e</i>", "ab\n\nc\nd\ne"},
		"a bogus comment":       {"a<?xml version='1.0'?>b<![CDATA[c]]>d</ x>e", "abde"},
		"NUL":                   {"a\x00b<p\x00>c", "abc"},
		"a style unclosed":      {"a<style>b", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := clean.HTML(c.in)
			require.Equal(t, c.want, got)
			wellFormed(t, got)
		})
	}
}

func TestHTMLNestedDeeperThanTheStack(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"div", "b", "table", "blockquote", "ul", "font"} {
		deep := strings.Repeat("<"+tag+">", 5000) + "found<script>not me</script>" + strings.Repeat("</"+tag+">", 5000) + "<p>after"
		require.Contains(t, clean.HTML(deep), "found")
		require.Contains(t, clean.HTML(deep), "after")
		require.NotContains(t, clean.HTML(deep), "not me")
	}
}

// hostile is input of about 10 MB each that is slow for who looks back or ahead too far.
var hostile = map[string]func(n int) string{
	"nested divs":       func(n int) string { return strings.Repeat("<div>", n/5) },
	"nested and closed": func(n int) string { return strings.Repeat("<b>", n/8) + "x" + strings.Repeat("</b>", n/8) },
	"nested tables":     func(n int) string { return strings.Repeat("<table><tr><td>", n/15) },
	"nested quotations": func(n int) string { return strings.Repeat("<blockquote>a", n/13) },
	"nested lists":      func(n int) string { return strings.Repeat("<ul><li>a", n/9) },
	"wrong ends":        func(n int) string { return strings.Repeat("<b><div>", 60) + strings.Repeat("<i></b>", n/7) },
	"wrong ends of divs": func(n int) string {
		return strings.Repeat("<div>", 10) + "<table><tr><td>" + strings.Repeat("<i>", 300) + strings.Repeat("</div>", n/6)
	},
	"less-than":          func(n int) string { return strings.Repeat("<", n) },
	"tags without end":   func(n int) string { return strings.Repeat("<a ", n/3) },
	"names without end":  func(n int) string { return strings.Repeat("<a@b", n/4) },
	"typed names":        func(n int) string { return "\n" + strings.Repeat("<div<", n/5) },
	"links as names":     func(n int) string { return strings.Repeat("<http:", n/6) },
	"quotes without end": func(n int) string { return strings.Repeat(`<a b="`, n/6) },
	"apostrophes":        func(n int) string { return strings.Repeat(`<a b='>`, n/7) + "<" },
	"mixed quotes":       func(n int) string { return strings.Repeat(`<a b="'>`, n/8) + `<a b='` },
	"comments":           func(n int) string { return strings.Repeat("<!--", n/4) },
	"dashes":             func(n int) string { return "<!--" + strings.Repeat("-", n) },
	"ampersands":         func(n int) string { return strings.Repeat("&", n) },
	"entities":           func(n int) string { return strings.Repeat("&eacute;", n/8) },
	"rare entities":      func(n int) string { return strings.Repeat("&NotEqualTilde;", n/15) },
	"unknown entities":   func(n int) string { return strings.Repeat("&abcdefghijklmnop;", n/18) },
	"numbers":            func(n int) string { return "&#" + strings.Repeat("0", n) },
	"scripts":            func(n int) string { return strings.Repeat("<script><", n/9) },
	"styles":             func(n int) string { return "<p style='" + strings.Repeat("display:none;", n/13) + "'>" },
	"classes": func(n int) string {
		return "<p class='" + strings.Repeat("x_", n/2) + "'>" + "<p class='" + strings.Repeat("a ", n/2) + "'>"
	},
	"links":               func(n int) string { return strings.Repeat("<a href=http://a.b>c", n/20) },
	"a long link":         func(n int) string { return "<a href='mailto:a@b'>" + strings.Repeat("a@", n/2) + "</a>" },
	"preformatted blanks": func(n int) string { return "<pre>" + strings.Repeat(" <b> </b>", n/9) },
	"blank lines":         func(n int) string { return strings.Repeat("a<br>", n/5) },
	"combining marks":     func(n int) string { return "e" + strings.Repeat("\u0301\u0323", n/4) },
	"no-break spaces":     func(n int) string { return strings.Repeat("&nbsp;", n/6) },
	"headings of tables":  func(n int) string { return "<table><tr>" + strings.Repeat("<i>", 300) + strings.Repeat("<th>a", n/5) },
	"greater-than":        func(n int) string { return strings.Repeat(">", n) },
	"quoted lines":        func(n int) string { return strings.Repeat("> > > >\n", n/8) },
	"empty quotations":    func(n int) string { return strings.Repeat(">\n\n", n/3) },
	"blanks and marks":    func(n int) string { return "[x]<br>" + strings.Repeat("&nbsp;<br>&gt;<br>", n/17) + "a@b.c" },
	"attribution lines":   func(n int) string { return strings.Repeat("On Mon, 1 Jan 2024 at 10:00, ", n/29) },
	"On lines":            func(n int) string { return strings.Repeat("On \n", n/4) },
	"style sheets": func(n int) string {
		return "<style>.b{display:none}" + strings.Repeat(".a{display:none}/*", n/40) + strings.Repeat("@media{", n/20) + "</style>" + strings.Repeat("<i class='a a'>", n/30)
	},
	"mojibake":            func(n int) string { return strings.Repeat("Ã©", n/4) },
	"much of mojibake":    func(n int) string { return strings.Repeat("Ãƒ", n/8) + strings.Repeat("ƒ", n/4) },
	"what hides mojibake": func(n int) string { return strings.Repeat("Ã\x00\u00ad©", n/7) },
	"chats":               func(n int) string { return strings.Repeat("<p align=center>( 4s ) A: ", n/26) + "</p>" },
	"not UTF-8":           func(n int) string { return strings.Repeat("\xff a", n/3) },
}

// TestHostileInputIsReadInLinearTime asserts CPU time, which a busy machine does not
// change: a second for ten megabytes is the promise, and what looks back or ahead
// too far takes many times what this allows.
func TestHostileInputIsReadInLinearTime(t *testing.T) {
	for name, build := range hostile {
		t.Run(name, func(t *testing.T) {
			in := build(1 << 19)
			before := cpu(t)
			text := clean.HTML(in)
			clean.Text(in)
			clean.Line(in)
			clean.Chat(in)
			clean.Split(clean.Mail{Text: in, FromName: "On Mon", FromAddress: "a@b"})
			clean.Split(clean.Mail{HTML: in, FromName: "a", FromAddress: "a@b"})
			require.Less(t, cpu(t)-before, 3*time.Second, "CPU time of half a megabyte, read six times")
			require.LessOrEqual(t, len(text), 30*len(in))
		})
	}
}

// asHTML is a text as HTML that shows the same lines.
func asHTML(text string) string {
	return strings.ReplaceAll(strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(text), "\n", "<br>")
}

// cpu is the time that the process has computed.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkHostile(b *testing.B) {
	for name, build := range hostile {
		in := build(10 << 20)
		b.Run(name, func(b *testing.B) { run(b, []string{in}, clean.HTML) })
	}
}

func FuzzHTML(f *testing.F) {
	f.Add("<p>Hello <b>World</b></p>")
	f.Add("<table border=1><tr><th>1<td>2<tr><td><table><td>x</table>&nbsp;</table>")
	f.Add("<!-- <!DOCTYPE <![CDATA[ \x00 &#0; &nosuch; &#55357;&#56832;")
	f.Add("<ul><li>a<ol start=2><li value=x><p>b</ol></ul><pre> a\t\n\n b </pre>")
	f.Add("<blockquote type=cite><blockquote>a<br><br>b</blockquote>e\u0301&#769;&emsp;</blockquote>&emsp;<hr>")
	f.Add(`<a href="https://eur01.safelinks.protection.outlook.com/?url=http%3A%2F%2Fa">x</a><span style='mso-list:Ignore'>1.</span>`)
	f.Add(`<div style="display:none">a<td style="font-size:0">b</div><span hidden>c`)
	f.Fuzz(func(t *testing.T, in string) {
		got := clean.HTML(in)
		wellFormed(t, got)
		require.Equal(t, got, clean.HTML(in), "the same input gives the same text")
		require.Equal(t, got, clean.Text(got), "the text of HTML is clean text")
		require.LessOrEqual(t, len(got), 64*len(in)+64)
	})
}
