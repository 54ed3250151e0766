package clean_test

import (
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
	var short, long, thread, languages, desktop, both, realText, realHTML []clean.Mail
	for i, text := range generatedText(100) {
		short = append(short, of(text[:strings.IndexByte(text, '\n')]+"\n\nKind regards,\nMartha Quill", ""))
		long = append(long, of(strings.Repeat(text+"\n\n", 10), ""))
		thread = append(thread, of("It works.\n\nKind regards,\nMartha Quill\n\nOn 3 March 2025 10:12, Owen Pratt <owen@acme.example> wrote:\n> "+strings.ReplaceAll(text, "\n", "\n> "), ""))
		languages = append(languages, of([]string{
			"Добрый день, проверьте, пожалуйста, наш последний счёт.\n\nС уважением,\nMartha Quill",
			"ご確認をお願いいたします。\n請求書の金額が違います。\n\nよろしくお願いいたします。\nMartha Quill",
			"Könnten Sie das bitte bis Freitag prüfen?\n\nMit freundlichen Grüßen\nMartha Quill",
			"Παρακαλώ ελέγξτε το τελευταίο τιμολόγιο.\n\nΜε εκτίμηση,\nMartha Quill",
		}[i%4], ""))
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
		{"plain short", short}, {"plain long", long}, {"quoted thread", thread}, {"many languages", languages},
		{"desktop HTML", desktop}, {"HTML and text", both}, {"sample text", realText}, {"sample HTML", realHTML},
	}
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
