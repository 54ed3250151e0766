package clean_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"salesforcesync/internal/clean"
)

// sentences are what the generated mails are made of.
var sentences = []string{
	"Thank you for the details, I have passed them on to the team in charge.",
	"The total on the last page is 1,240.50 but we agreed on 1,140.50.",
	"Könnten Sie das bitte bis Freitag prüfen? Vielen Dank für Ihre Mühe.",
	"Le montant indiqué est de 312,40 € au lieu de 213,40 €.",
	"Nie działa logowanie do panelu od wczoraj, proszę o pomoc.",
	"Two of the five boxes arrived open, and one was missing altogether.",
	"We’ve been customers for four years – and never had this before.",
}

// generatedHTML makes mails of about 6 KB as a desktop program writes them: styles
// on everything, a table, a signature, a quoted mail.
func generatedHTML(n int) []string {
	rng := rand.New(rand.NewPCG(1, 2))
	say := func() string { return sentences[rng.IntN(len(sentences))] }
	out := make([]string, n)
	for i := range out {
		var b strings.Builder
		b.WriteString(`<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"><style><!-- p.MsoNormal, li.MsoNormal {margin:0cm; font-size:11.0pt; font-family:"Calibri",sans-serif;} a:link {color:#0563C1; text-decoration:underline;} --></style></head><body lang="EN-GB" link="#0563C1" vlink="#954F72"><div class="WordSection1">`)
		for range 6 + rng.IntN(5) {
			fmt.Fprintf(&b, `<p class="MsoNormal"><span style="font-size:10.5pt;font-family:&quot;Arial&quot;,sans-serif;color:#1F497D">%s %s</span><o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p>`, say(), say())
		}
		b.WriteString(`<table class="MsoNormalTable" border="1" cellspacing="0" cellpadding="0" style="border-collapse:collapse;border:none">`)
		for row := range 4 {
			fmt.Fprintf(&b, `<tr style="height:15.0pt"><td width="120" valign="top" style="width:90.0pt;border:solid windowtext 1.0pt;padding:0cm 5.4pt 0cm 5.4pt"><p class="MsoNormal">Item %d<o:p></o:p></p></td><td style="padding:0cm 5.4pt 0cm 5.4pt"><p class="MsoNormal">%d,%02d&nbsp;&euro;<o:p></o:p></p></td></tr>`, row, rng.IntN(1000), rng.IntN(100))
		}
		b.WriteString(`</table><p class="MsoNormal">Kind regards,<br>Martha Quill<br><a href="https://acme.example/">www.acme.example</a><o:p></o:p></p><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal"><b><span lang="EN-US">From:</span></b><span lang="EN-US"> Owen Pratt &lt;owen@acme.example&gt;<br><b>Sent:</b> Monday, 3 March 2025 10:12<br><b>To:</b> Support<br><b>Subject:</b> Invoice<o:p></o:p></span></p></div><blockquote type="cite">`)
		for range 3 {
			fmt.Fprintf(&b, `<div style="margin:0cm"><font face="Calibri, sans-serif" size="2">%s<br><br></font></div>`, say())
		}
		b.WriteString(`</blockquote></div></body></html>`)
		out[i] = b.String()
	}
	return out
}

func generatedText(n int) []string {
	rng := rand.New(rand.NewPCG(3, 4))
	out := make([]string, n)
	for i := range out {
		var lines []string
		for range 25 {
			lines = append(lines, sentences[rng.IntN(len(sentences))])
			if rng.IntN(3) == 0 {
				lines = append(lines, "")
			}
		}
		out[i] = strings.TrimSpace(strings.Join(lines, "\n"))
	}
	return out
}

func run(b *testing.B, texts []string, fn func(string) string) {
	b.Helper()
	size := 0
	for _, s := range texts {
		size += len(s)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range texts {
			fn(s)
		}
	}
}

func BenchmarkHTML(b *testing.B) {
	b.Run("generated", func(b *testing.B) { run(b, generatedHTML(200), clean.HTML) })
	b.Run("real", func(b *testing.B) {
		var real []string
		for _, l := range letters(b) {
			if l.html != "" {
				real = append(real, l.html)
			}
		}
		run(b, real, clean.HTML)
	})
}

func BenchmarkText(b *testing.B) {
	texts := generatedText(200)
	english := make([]string, len(texts))
	cyrillic := make([]string, len(texts))
	crlf := make([]string, len(texts))
	for i, s := range texts {
		english[i] = strings.Map(func(r rune) rune {
			if r > 0x7f {
				return 'e'
			}
			return r
		}, s)
		cyrillic[i] = strings.Repeat("Добрый день, проверьте, пожалуйста, наш последний счёт.\n", 25) + "x"
		crlf[i] = strings.ReplaceAll(s, "\n", " \r\n")
	}
	b.Run("ascii", func(b *testing.B) { run(b, english, clean.Text) })
	b.Run("mixed", func(b *testing.B) { run(b, texts, clean.Text) })
	b.Run("cyrillic", func(b *testing.B) { run(b, cyrillic, clean.Text) })
	b.Run("dirty", func(b *testing.B) { run(b, crlf, clean.Text) })
	b.Run("real", func(b *testing.B) {
		var real []string
		for _, l := range letters(b) {
			if l.text != "" {
				real = append(real, l.text)
			}
		}
		run(b, real, clean.Text)
	})
}

func BenchmarkLine(b *testing.B) {
	run(b, sentences, clean.Line)
}
