package simforce

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// writer keeps the org alive: new mail, edits, status and priority changes.
type writer struct {
	mu sync.Mutex
	a  *author
}

func (w *writer) init(seed uint64) { w.a = newAuthor(seed + 1) }

// writerTick is how often Run looks whether something is due.
const writerTick = 50 * time.Millisecond

// write writes at the rate of the knobs until ctx ends.
func (s *Server) write(ctx context.Context) {
	tick := time.NewTicker(writerTick)
	defer tick.Stop()
	due := 0.0
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			due = min(due+s.Knobs().WriterRate*now.Sub(last).Seconds(), 1000)
			last = now
			if n := int(due); n > 0 {
				s.WriteNow(n)
				due -= float64(n)
			}
		}
	}
}

// WriteNow lets the writer write n records at once and returns how many it
// wrote. Of ten, about five are new mails, two edit a body, one changes a
// message's status and two a case.
func (s *Server) WriteNow(n int) int {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
	for range max(n, 0) {
		s.writeOne(s.writer.a)
	}
	return max(n, 0)
}

func (s *Server) writeOne(a *author) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orgs[0]
	now := s.now()
	o.catchUp(now)
	message := o.random("EmailMessage", a.rng)
	set := func(r *record, fields Row) {
		// A row that an open transaction holds is left alone.
		if o.unlocked(r.id()) == nil {
			o.must(change{object: r.obj.Name, id: r.id(), fields: fields, user: o.firstUser(), now: now, system: true})
		}
	}
	kind := a.rng.IntN(10)
	switch {
	case message == nil || kind == 0:
		p := a.persona()
		s.arrive(a.turn(p, pick(a, p.lang.subjects), true, nil, now), "", "")
	case kind < 5:
		s.reply(a, message)
	case kind < 7:
		field := "TextBody"
		if message.text(field) == "" {
			field = "HtmlBody"
		}
		set(message, Row{field: cut(message.text(field)+"\n"+pick(a, languages).details[0], maxText)})
	case kind < 8:
		set(message, Row{"Status": pick(a, []string{"0", "1", "2"})})
	default:
		c := o.find(message.text("ParentId"))
		if c == nil || c.deleted() {
			return
		}
		if kind == 8 {
			set(c, Row{"Priority": pick(a, casePriorities)})
		} else {
			set(c, Row{"Status": pick(a, caseStatuses)})
		}
	}
}

// random picks a row that is not deleted, or nil after a few tries.
func (o *org) random(object string, rng *rand.Rand) *record {
	t := o.table(object)
	for range 8 {
		if t.size() == 0 {
			return nil
		}
		if r := t.pick(rng.IntN(t.picks())); r != nil && !r.deleted() {
			return r
		}
	}
	return nil
}

// reply answers a message in its thread: the desk a customer, a customer the desk.
func (s *Server) reply(a *author, to *record) {
	incoming, _ := to.get(to.obj.field("Incoming")).(bool)
	last := &letter{
		id: to.text("MessageIdentifier"), subject: to.text("Subject"), fromName: to.text("FromName"), from: to.text("FromAddress"),
		text: to.text("TextBody"), html: to.text("HtmlBody"), date: to.get(to.obj.field("MessageDate")).(time.Time),
	}
	if last.fromName == "" {
		last.fromName = last.from
	}
	p := a.persona()
	p.lang = &languages[0]
	p.first, p.last = firstWord(last.fromName), lastWord(last.fromName)
	p.email = last.from
	if !incoming {
		name := pick(a, p.lang.names)
		p.first, p.last = name[0], name[1]
		if to, _, _ := strings.Cut(to.text("ToAddress"), ";"); to != "" {
			p.email = to
		}
	}
	s.arrive(a.turn(p, last.subject, !incoming, last, s.now()), to.text("ParentId"), to.id())
}

func firstWord(name string) string {
	word, _, _ := strings.Cut(name, " ")
	return word
}

// arrive writes one new mail, into the case given or a new one.
func (s *Server) arrive(l *letter, caseID, replyTo string) {
	o := s.orgs[0]
	now := s.now()
	d := s.newDelivery(o)
	if c := o.find(caseID); c == nil || c.deleted() {
		caseID = d.open(l, now, o.seq["Case"])
	}
	l.root = l.id
	if len(l.references) > 0 {
		l.root = l.references[0]
	}
	if replyTo != "" {
		if root := o.find(replyTo).text("ThreadIdentifier"); root != "" {
			l.root = root
		}
	}
	d.message(l, caseID, now, false)
	if replyTo != "" {
		o.must(change{object: "EmailMessage", id: d.written[0], fields: Row{"ReplyToEmailMessageId": replyTo}, user: d.user, now: now, system: true})
	}
}
