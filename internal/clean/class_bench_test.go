package clean_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"salesforcesync/internal/clean"
)

// mailClasses are the kinds of mails that make bench-clean measures, by name.
func mailClasses(tb testing.TB) []struct {
	name  string
	mails []clean.Mail
} {
	tb.Helper()
	martha := clean.Mail{FromName: "Martha Quill", FromAddress: "martha@acme.example", Subject: "Re: Invoice"}
	of := func(text, markup string) clean.Mail {
		m := martha
		m.Text, m.HTML = text, markup
		return m
	}
	var short, wrapped, long, thread, languages, desktop, both, realText, realHTML []clean.Mail
	for i, text := range generatedText(100) {
		short = append(short, of(text[:strings.IndexByte(text, '\n')]+"\n\nKind regards,\nMartha Quill", ""))
		wrapped = append(wrapped, of(wrappedText(text, i), ""))
		long = append(long, of(strings.Repeat(text+"\n\n", 10), ""))
		thread = append(thread, of("It works.\n\nKind regards,\nMartha Quill\n\nOn 3 March 2025 10:12, Owen Pratt <owen@acme.example> wrote:\n> "+strings.ReplaceAll(text, "\n", "\n> "), ""))
		languages = append(languages, of([]string{
			"Добрый день, проверьте, пожалуйста, наш последний счёт.\n\nС уважением,\nMartha Quill",
			"ご確認をお願いいたします。\n請求書の金額が違います。\n\nよろしくお願いいたします。\nMartha Quill",
			"Könnten Sie das bitte bis Freitag prüfen?\n\nMit freundlichen Grüßen\nMartha Quill",
			"Παρακαλώ ελέγξτε το τελευταίο τιμολόγιο.\n\nΜε εκτίμηση,\nMartha Quill",
		}[i%4], ""))
	}
	var webmail, newsletter []clean.Mail
	for _, text := range generatedText(100) {
		webmail = append(webmail, of("", webmailHTML(text)))
		newsletter = append(newsletter, of("", newsletterHTML(text)))
	}
	for _, markup := range generatedHTML(100) {
		desktop = append(desktop, of("", markup))
		both = append(both, of(clean.HTML(markup), markup))
	}
	for _, l := range letters(tb) {
		m := clean.Mail{FromName: l.fromName, FromAddress: l.from, Subject: l.subject}
		if l.text != "" {
			m.Text = l.text
			realText = append(realText, m)
		}
		if l.html != "" {
			m.Text, m.HTML = "", l.html
			realHTML = append(realHTML, m)
		}
	}
	return []struct {
		name  string
		mails []clean.Mail
	}{
		{"plain short", short}, {"plain mail", wrapped}, {"plain long", long}, {"quoted thread", thread}, {"many languages", languages},
		{"desktop HTML", desktop}, {"webmail HTML", webmail}, {"newsletter", newsletter}, {"HTML and text", both}, {"sample text", realText}, {"sample HTML", realHTML},
	}
}

// wrappedText is a mail of some 2 KB and forty lines as people write them in plain text: lines of
// 72 characters, a quotation that is answered in every third, a signature, a list's footer in
// every second.
func wrappedText(text string, i int) string {
	var b strings.Builder
	if i%3 == 0 {
		b.WriteString("On Mon, 3 Mar 2025 10:12:31 +0100, Owen Pratt <owen@acme.example> wrote:\n> Has anybody seen this before? It began on Friday,\n> and 2 of 3 orders are stuck since.\n\n")
	}
	b.WriteString("Hi all,\n\n")
	width := 0
	for word := range strings.FieldsSeq(text) {
		if width > 0 && width+len(word) >= 72 {
			b.WriteByte('\n')
			width = 0
		}
		if width > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
		width += len(word) + 1
		if strings.HasSuffix(word, ".") && len(word) > 8 {
			b.WriteString("\n\n")
			width = 0
		}
	}
	b.WriteString("\n\nRegards,\nMartha\n\n-- \nMartha Quill, Acme\nhttps://acme.example/\n")
	if i%2 == 0 {
		b.WriteString("\n_______________________________________________\nUsers mailing list\nUsers@lists.acme.example\nhttps://lists.acme.example/mailman/listinfo/users\n")
	}
	return b.String()
}

// webmailHTML is a mail as a mail program in a browser writes it: a line each in a
// division, and what it answers below.
func webmailHTML(text string) string {
	lines := "<div>" + strings.ReplaceAll(text, "\n", "</div><div>") + "</div>"
	return `<div dir="ltr">` + lines + `<br clear="all"><div><div dir="ltr" class="gmail_signature" data-smartmail="gmail_signature"><div dir="ltr">Martha Quill<br>Acme</div></div></div></div><br>` +
		`<div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Mon, Mar 3, 2025 at 10:12 AM Owen Pratt &lt;<a href="mailto:owen@acme.example">owen@acme.example</a>&gt; wrote:<br></div>` +
		`<blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);padding-left:1ex">` + lines + `</blockquote></div>`
}

// newsletterHTML is a mail of tables in tables, with more style than text.
func newsletterHTML(text string) string {
	var b strings.Builder
	b.WriteString(`<html><head><style type="text/css">@media only screen and (max-width:480px){.mcnText{font-size:16px !important;line-height:150% !important;}}</style></head><body><div style="display:none;max-height:0px;overflow:hidden;">&zwnj;&nbsp;&zwnj;&nbsp;</div><table role="presentation" border="0" cellpadding="0" cellspacing="0" width="100%"><tbody>`)
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(&b, `<tr><td align="center" valign="top" style="padding:9px 18px;background-color:#FAFAFA;"><table border="0" cellpadding="0" cellspacing="0" width="600" style="max-width:600px;"><tr><td class="mcnText" style="font-family:Helvetica,Arial,sans-serif;font-size:14px;line-height:150%%;color:#202020;">%s <a href="https://click.acme.example/?qs=0123456789abcdef0123456789abcdef" target="_blank" style="color:#007C89;">more</a></td></tr></table></td></tr>`, line)
	}
	b.WriteString(`<tr><td align="center" style="font-size:11px;">You receive this because you subscribed. <a href="https://click.acme.example/u">Unsubscribe</a></td></tr></tbody></table></body></html>`)
	return b.String()
}

// BenchmarkClasses takes mails of each kind apart. Beside HTML it has a tokenizer that only
// reads the tags, which is as little as anything that reads HTML can do.
func BenchmarkClasses(b *testing.B) {
	for _, class := range mailClasses(b) {
		size, markup := 0, 0
		for _, m := range class.mails {
			size += len(m.Text) + len(m.HTML)
			markup += len(m.HTML)
		}
		b.Run(class.name+"/split", func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for _, m := range class.mails {
					clean.Split(m)
				}
			}
		})
		if markup == 0 {
			continue
		}
		b.Run(class.name+"/tokenizer", func(b *testing.B) {
			b.SetBytes(int64(markup))
			b.ReportAllocs()
			for b.Loop() {
				for _, m := range class.mails {
					for z := html.NewTokenizer(strings.NewReader(m.HTML)); z.Next() != html.ErrorToken; {
						continue
					}
				}
			}
		})
	}
}

// BenchmarkEndless takes ten megabytes apart of what is slow for who looks back or ahead
// too far: its time for one of them is the seconds of a mail of that size.
func BenchmarkEndless(b *testing.B) {
	const size = 10 << 20
	for _, name := range slices.Sorted(maps.Keys(endless)) {
		for kind, markup := range map[string]bool{"text": false, "HTML": true} {
			m := endlessMail(endless[name], size, markup)
			b.Run(name+"/"+kind, func(b *testing.B) {
				b.SetBytes(size)
				b.ReportAllocs()
				for b.Loop() {
					clean.Split(m)
				}
				b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/op")
			})
		}
	}
}
