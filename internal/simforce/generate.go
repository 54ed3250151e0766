package simforce

import (
	"fmt"
	"html"
	"math/rand/v2"
	"strings"
	"time"
)

// desk is the address that answers customers.
const (
	deskName    = "Acme Support"
	deskAddress = "support@acme.example"
)

// author makes up mail. The same seed makes the same mail.
type author struct {
	rng *rand.Rand
	n   int
}

func newAuthor(seed uint64) *author { return &author{rng: rand.New(rand.NewPCG(seed, 0x5F0CE))} }

func pick[T any](a *author, list []T) T { return list[a.rng.IntN(len(list))] }

// generate fills the first org with n made-up mails. The caller holds the data lock.
func (s *Server) generate(n int) {
	a := newAuthor(s.opts.Seed)
	var letters []*letter
	at := s.now().Add(-loadSpan)
	for len(letters) < n {
		for _, l := range a.conversation(at) {
			if len(letters) < n {
				letters = append(letters, l)
			}
		}
		at = at.Add(loadSpan / time.Duration(n+1))
	}
	s.deliver(letters)
}

// persona is a made-up customer.
type persona struct {
	lang           *language
	first, last    string
	company, email string
	style          int // 0 text, 1 HTML, 2 both
	signature      int // 0 none, 1 "-- ", 2 block without a mark
}

func (a *author) persona() persona {
	p := persona{lang: &languages[a.rng.IntN(len(languages))], style: a.rng.IntN(3), signature: a.rng.IntN(3)}
	if a.rng.IntN(3) == 0 {
		p.lang = &languages[0]
	}
	name := pick(a, p.lang.names)
	p.first, p.last = name[0], name[1]
	company := pick(a, companies)
	p.company = company[0]
	p.email = fmt.Sprintf("%s.%d@%s", p.lang.code, 100+a.rng.IntN(900), company[1])
	return p
}

func (p persona) name() string { return p.first + " " + p.last }

// conversation is a customer's mail, and often answers in both directions.
func (a *author) conversation(at time.Time) []*letter {
	p := a.persona()
	subject := pick(a, p.lang.subjects)
	var out []*letter
	for turn := range 1 + a.rng.IntN(5) {
		var last *letter
		if turn > 0 {
			last = out[turn-1]
		}
		at = at.Add(time.Duration(5+a.rng.IntN(600)) * time.Minute)
		out = append(out, a.turn(p, subject, turn%2 == 0, last, at))
	}
	return out
}

// turn writes one mail of a conversation: the customer's, or the desk's.
func (a *author) turn(p persona, subject string, customer bool, last *letter, at time.Time) *letter {
	a.n++
	l := &letter{
		id: fmt.Sprintf("<%d.%08x@mail.example>", a.n, a.rng.Uint32()), subject: subject, date: at.Truncate(time.Second),
		fromName: p.name(), from: p.email, to: []string{deskAddress}, incoming: customer,
	}
	lines := a.customerLines(p, last)
	if !customer {
		l.fromName, l.from, l.to = deskName, deskAddress, []string{p.email}
		lines = []string{p.lang.hello + " " + p.first + ",", pick(a, p.lang.replies), p.lang.bye + "\n" + deskName}
	}
	var quoted string
	if last != nil {
		l.parent, l.references = last.id, append(append([]string{}, last.references...), last.id)
		l.subject = "Re: " + bareSubject(subject)
		intro := fmt.Sprintf(p.lang.quote, last.date.Format("2006-01-02 15:04"), last.fromName)
		quoted = intro + "\n" + quote(last.plain())
	}
	text := strings.Join(lines, "\n\n")
	if quoted != "" {
		text += "\n\n" + quoted
	}
	if p.style != 1 {
		l.text = text
	}
	if p.style != 0 {
		l.html = page(lines, quoted)
	}
	if customer {
		l.headers = fmt.Sprintf("From: %s\nTo: %s\nSubject: %s\nMessage-ID: %s\nDate: %s\nMIME-Version: 1.0", l.from, deskAddress, l.subject, l.id, l.date.Format(time.RFC1123Z))
	}
	return l
}

func (a *author) customerLines(p persona, last *letter) []string {
	lines := []string{p.lang.hello + ","}
	if last == nil {
		lines = append(lines, pick(a, p.lang.openings), pick(a, p.lang.details)+" "+pick(a, p.lang.asks))
	} else {
		lines = append(lines, pick(a, p.lang.followups))
	}
	lines = append(lines, p.lang.bye+"\n"+p.name())
	block := p.name() + "\n" + pick(a, p.lang.sign) + "\n" + p.company + "\nTel. +49 30 5550" + fmt.Sprint(100+a.rng.IntN(900)) + "\n" + p.email
	switch p.signature {
	case 1:
		lines = append(lines, "-- \n"+block)
	case 2:
		lines = append(lines, block)
	}
	return lines
}

// plain is the text of a letter for quoting, whichever body it has.
func (l *letter) plain() string {
	if l.text != "" {
		return l.text
	}
	return plainOf(l.html)
}

// plainOf strips the simple HTML this file writes; of foreign HTML it keeps the
// words well enough for a quote.
func plainOf(s string) string {
	var b strings.Builder
	for s != "" {
		text, rest, found := strings.Cut(s, "<")
		b.WriteString(text)
		if !found {
			break
		}
		tag, after, _ := strings.Cut(rest, ">")
		if strings.HasPrefix(tag, "br") || strings.HasPrefix(tag, "/p") || strings.HasPrefix(tag, "/div") {
			b.WriteByte('\n')
		}
		s = after
	}
	return html.UnescapeString(b.String())
}

func quote(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > 60 {
		lines = lines[:60]
	}
	for i, line := range lines {
		lines[i] = strings.TrimRight("> "+line, " ")
	}
	return strings.Join(lines, "\n")
}

func page(lines []string, quoted string) string {
	var b strings.Builder
	b.WriteString("<html><body style=\"font-family:Calibri,sans-serif\">\n")
	for _, line := range lines {
		b.WriteString("<p>" + strings.ReplaceAll(html.EscapeString(line), "\n", "<br>") + "</p>\n")
	}
	if quoted != "" {
		b.WriteString("<blockquote type=\"cite\">" + strings.ReplaceAll(html.EscapeString(quoted), "\n", "<br>\n") + "</blockquote>\n")
	}
	b.WriteString("</body></html>")
	return b.String()
}
