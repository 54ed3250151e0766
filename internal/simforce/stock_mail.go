package simforce

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stock is a large number of e-mails with their cases that are made when they are
// looked at, and so take little memory however many they are. They are ordinary rows
// in every respect; one that is written is kept from then on. A mail has some 8 KB: a
// text and the same in HTML, in ten languages, with what it answers quoted.
type Stock struct {
	// Org is an org's id or name; "" is the first, Acme.
	Org string `json:"org,omitempty"`
	// Mails is how many there are. Nine of ten have a Case; five cases stand for twenty.
	Mails int `json:"mails"`
	// From and To are when they were created, more of them towards the end; zero ones are
	// six years and an hour before now. Every seventh was changed later.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// mostStock is as many rows as a stock can have.
const mostStock = 20_000_000

// AddStock adds a stock of mails to an org, once.
func (s *Server) AddStock(k Stock) error {
	return s.mutate(k.Org, "", func(o *org) error {
		if k.To.IsZero() {
			k.To = s.now().Add(-time.Hour)
		}
		if k.From.IsZero() {
			k.From = k.To.AddDate(-6, 0, 0)
		}
		k.From, k.To, k.Org = k.From.UTC().Truncate(time.Second), k.To.UTC().Truncate(time.Second), o.id
		switch {
		case k.Mails < 1 || k.Mails > mostStock:
			return fmt.Errorf("a stock has 1 to %d mails, not %d", mostStock, k.Mails)
		case !k.From.Before(k.To) || k.From.Unix() < 1 || k.To.Unix() > math.MaxInt32:
			return fmt.Errorf("a stock needs a time to be spread over: %s to %s is none", k.From, k.To)
		case o.stock != nil:
			return fmt.Errorf("org %s has a stock of %d mails already", o.name, o.stock.Mails)
		}
		l := s.staff(o, k)
		o.layStock(l)
		o.journal(stateLine{Org: o.id, Stock: l})
		return nil
	})
}

// stockLine is a stock with everything its rows follow from, as the state file has it.
type stockLine struct {
	Stock
	People []party  `json:"people"`
	Users  []string `json:"users"`
	Queues []string `json:"queues"`
}

// party is somebody who writes to the desk.
type party struct {
	ID       string `json:"id"`
	Account  string `json:"account"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Language int    `json:"language"`
}

// staff finds who has to do with a stock, and writes its contacts with their accounts.
func (s *Server) staff(o *org, k Stock) *stockLine {
	l := &stockLine{Stock: k}
	a, d := newAuthor(s.opts.Seed+77), s.newDelivery(o)
	for i := range min(max(k.Mails/200, 20), 2000) {
		p := a.persona()
		// Half of them write English, a third German, French or Spanish.
		if share := i % 20; share < 18 {
			p.lang = &languages[[]int{0, 1, 0, 2, 0, 3}[share%6]]
			name := pick(a, p.lang.names)
			p.first, p.last = name[0], name[1]
		}
		id := d.contact(p.name(), strconv.Itoa(i)+"."+p.email, k.From)
		r := o.find(id)
		l.People = append(l.People, party{
			ID: id, Account: r.text("AccountId"), Name: r.text("Name"), Email: r.text("Email"),
			Language: slices.IndexFunc(languages, func(x language) bool { return x.code == p.lang.code }),
		})
	}
	for _, u := range []string{AdminUser, SyncUser} {
		if id, err := o.userID(u); err == nil {
			l.Users = append(l.Users, id)
		}
	}
	if len(l.Users) == 0 {
		l.Users = []string{o.firstUser()}
	}
	o.table("Group").each(func(r *record) bool {
		l.Queues = append(l.Queues, r.id())
		return true
	})
	return l
}

// layStock lays a stock out.
func (o *org) layStock(l *stockLine) {
	k := l.Stock
	m := &mailMaker{stockLine: l, n: k.Mails, texts: stockTexts()}
	created, stamped := m.dates()
	cases := (k.Mails + blockMails - 1) / blockMails * blockCases
	born, moved := make([]uint32, cases), make([]uint32, cases)
	for n := range created {
		if slot := blockSlots[n%blockMails]; slot >= 0 {
			c := n/blockMails*blockCases + slot
			if born[c] == 0 {
				born[c] = created[n]
			}
			moved[c] = created[n]
		}
	}
	for c := range born { // cases whose mails would lie behind the last one
		born[c] = cmp.Or(born[c], uint32(k.To.Unix()))
		moved[c] = cmp.Or(moved[c], born[c])
	}
	t := o.table("Case")
	m.cases = makeStock(o, t.obj, &caseMaker{m}, born, moved)
	t.stock = m.cases
	t = o.table("EmailMessage")
	m.mails = makeStock(o, t.obj, m, created, stamped)
	t.stock = m.mails
	o.stock = l
}

// Twenty mails in a row belong to five cases and, two of them, to none. blockSlots says
// which mail belongs to which case of its block; the mails of a case lie hours apart.
const (
	blockMails = 20
	blockCases = 5
)

var blockSlots = [blockMails]int{0, 1, 2, 1, 3, -1, 2, 3, 4, 2, 4, 3, 4, -1, 4, 3, 4, 2, 3, 4}

// blockTurns is how many mails of its case a mail has before it, blockPrevious the last of
// these, blockNext the first behind it; -1 is none.
var blockTurns, blockPrevious, blockNext = func() (turn, previous, next [blockMails]int) {
	for i := range blockMails {
		previous[i], next[i] = -1, -1
		for j := range i {
			if blockSlots[i] >= 0 && blockSlots[j] == blockSlots[i] {
				turn[i]++
				previous[i] = j
			}
		}
		if previous[i] >= 0 {
			next[previous[i]] = i
		}
	}
	return
}()

// mailMaker makes e-mails.
type mailMaker struct {
	*stockLine
	n            int
	texts        *texts
	mails, cases *stock
}

// dates spreads creation over the time, denser towards its end, with a dozen in the same
// second now and then.
func (m *mailMaker) dates() (created, stamped []uint32) {
	k := m.Stock
	created, stamped = make([]uint32, k.Mails), make([]uint32, k.Mails)
	end := uint32(k.To.Unix())
	span := k.To.Sub(k.From).Seconds()
	for i := range created {
		at := i
		if i/12%50 == 49 {
			at = i - i%12
		}
		created[i] = uint32(k.From.Unix() + int64(span*math.Pow(float64(at)/float64(k.Mails), 0.7)))
		stamped[i] = created[i]
		if h := m.dice(uint32(i), 1); h%7 == 0 {
			stamped[i] = min(created[i]+uint32(h>>8%(20*86400)), end)
		}
	}
	return created, stamped
}

// dice is a number that belongs to row n.
func (m *mailMaker) dice(n uint32, salt uint64) uint64 {
	x := uint64(n)*0x9E3779B97F4A7C15 + salt*0xD1B54A32D192ED03
	x ^= x >> 30
	x *= 0xBF58476D1CE4E5B9
	x ^= x >> 27
	x *= 0x94D049BB133111EB
	return x ^ x>>31
}

// caseOf is the number of the case of mail n.
func caseOf(n uint32) (uint32, bool) {
	slot := blockSlots[n%blockMails]
	return n/blockMails*blockCases + uint32(max(slot, 0)), slot >= 0
}

// customer is who the mail is from or to.
func (m *mailMaker) customer(n uint32) *party {
	if c, ok := caseOf(n); ok {
		return m.customerOf(c)
	}
	return &m.People[m.dice(n, 2)%uint64(len(m.People))]
}

func (m *mailMaker) customerOf(c uint32) *party { return &m.People[int(c)%len(m.People)] }

func (m *mailMaker) incoming(n uint32) bool { return blockTurns[n%blockMails]%3 != 1 }

// previous is the mail that n answers.
func previousOf(n uint32) (uint32, bool) {
	p := blockPrevious[n%blockMails]
	return n - n%blockMails + uint32(max(p, 0)), p >= 0
}

// Cells of an e-mail, in the order of mailCells.
const (
	mailParent = iota
	mailRelated
	mailText
	mailHTML
	mailSubject
	mailFromName
	mailFrom
	mailTo
	mailCC
	mailIncoming
	mailAttachment
	mailStatus
	mailDate
	mailReply
	mailDraft
	mailExternal
	mailIdentifier
	mailThread
	mailManaged
	mailCreator
	mailModifier
)

var mailCells = []string{
	"ParentId", "RelatedToId", "TextBody", "HtmlBody", "Subject", "FromName", "FromAddress", "ToAddress", "CcAddress", "Incoming",
	"HasAttachment", "Status", "MessageDate", "ReplyToEmailMessageId", "IsPrivateDraft", "IsExternallyVisible", "MessageIdentifier",
	"ThreadIdentifier", "IsClientManaged", "CreatedById", "LastModifiedById",
}

func (m *mailMaker) cells() []string { return mailCells }

func (m *mailMaker) value(n uint32, cell int) any {
	switch cell {
	case mailIncoming:
		return m.incoming(n)
	case mailAttachment:
		return m.dice(n, 3)%9 == 0
	case mailDraft, mailManaged:
		return false
	case mailExternal:
		return true
	case mailDate:
		return time.Unix(m.sent(n), 0).UTC()
	case mailText, mailHTML:
		var w bodyWriter
		w.b = make([]byte, 0, 10<<10)
		if cell == mailText {
			m.text(&w, n)
		} else {
			m.html(&w, n)
		}
		return string(w.b)
	}
	if s := m.short(n, cell); s != "" {
		return s
	}
	return nil
}

func (m *mailMaker) sent(n uint32) int64 { return int64(m.mails.created[n]) - int64(m.dice(n, 4)%90) }

// short is a cell that is a short text; "" is null.
func (m *mailMaker) short(n uint32, cell int) string {
	switch cell {
	case mailParent, mailRelated:
		if c, ok := caseOf(n); ok {
			return m.cases.id(c)
		}
	case mailSubject:
		return m.subject(n)
	case mailFromName:
		if m.incoming(n) {
			return m.customer(n).Name
		}
		return deskName
	case mailFrom:
		if m.incoming(n) {
			return m.customer(n).Email
		}
		return deskAddress
	case mailTo:
		if m.incoming(n) {
			return deskAddress
		}
		return m.customer(n).Email
	case mailCC:
		if m.dice(n, 5)%6 == 0 {
			return m.People[m.dice(n, 6)%uint64(len(m.People))].Email
		}
	case mailStatus:
		switch {
		case !m.incoming(n):
			return "3"
		case blockNext[n%blockMails] >= 0 && int(n-n%blockMails)+blockNext[n%blockMails] < m.n:
			return "2"
		case m.dice(n, 7)%2 == 0:
			return "0"
		}
		return "1"
	case mailReply:
		if p, ok := previousOf(n); ok {
			return m.mails.id(p)
		}
	case mailIdentifier:
		return m.identifier(n)
	case mailThread:
		for p, ok := previousOf(n); ok; p, ok = previousOf(n) {
			n = p
		}
		return m.identifier(n)
	case mailCreator, mailModifier:
		return m.Users[n%uint32(len(m.Users))]
	}
	return ""
}

func (m *mailMaker) identifier(n uint32) string {
	return "<" + strconv.FormatUint(m.dice(n, 8), 36) + "." + strconv.Itoa(int(n)) + "@mail.example>"
}

// subject is that of the case, with a mark on what answers.
func (m *mailMaker) subject(n uint32) string {
	c, ok := caseOf(n)
	l := &languages[max(m.customer(n).Language, 0)]
	if !ok {
		return l.subjects[m.dice(n, 9)%uint64(len(l.subjects))]
	}
	subject := caseSubject(m, c)
	if blockPrevious[n%blockMails] >= 0 {
		return "Re: " + subject
	}
	return subject
}

func (m *mailMaker) appendCell(b []byte, n uint32, cell int) []byte {
	b = append(b, '"')
	switch cell {
	case mailText, mailHTML:
		w := bodyWriter{b: b, cell: true}
		if cell == mailText {
			m.text(&w, n)
		} else {
			m.html(&w, n)
		}
		b = w.b
	case mailIncoming, mailAttachment, mailDraft, mailManaged, mailExternal:
		yes, _ := m.value(n, cell).(bool)
		b = strconv.AppendBool(b, yes)
	case mailDate:
		b = time.Unix(m.sent(n), 0).UTC().AppendFormat(b, wireBulk)
	default:
		s := m.short(n, cell)
		if strings.IndexByte(s, '"') >= 0 {
			s = strings.ReplaceAll(s, `"`, `""`)
		}
		b = append(b, s...)
	}
	return append(b, '"')
}

func (m *mailMaker) children(field, id string, visit func(uint32)) {
	switch field {
	case "ParentId", "RelatedToId":
		c, ok := m.cases.number(id)
		if !ok {
			return
		}
		for i, slot := range blockSlots {
			if n := c/blockCases*blockMails + uint32(i); slot == int(c%blockCases) && int(n) < m.n {
				visit(n)
			}
		}
	case "ReplyToEmailMessageId":
		n, ok := m.mails.number(id)
		if !ok || blockNext[n%blockMails] < 0 {
			return
		}
		if next := n - n%blockMails + uint32(blockNext[n%blockMails]); int(next) < m.n {
			visit(next)
		}
	}
}

// bodyWriter puts a body together, as it is or as it stands in a cell of CSV.
type bodyWriter struct {
	b    []byte
	cell bool
}

func (w *bodyWriter) put(p *piece) {
	if w.cell {
		w.b = append(w.b, p.cell...)
	} else {
		w.b = append(w.b, p.plain...)
	}
}

// raw puts a text that has no quotes.
func (w *bodyWriter) raw(s string) { w.b = append(w.b, s...) }

func (w *bodyWriter) quote() {
	if w.cell {
		w.b = append(w.b, '"')
	}
	w.b = append(w.b, '"')
}

// token puts n characters without a pattern, such as links that are counted carry.
func (m *mailMaker) token(w *bodyWriter, seed uint64, n int) {
	at := seed % uint64(len(m.texts.tokens)-n)
	w.b = append(w.b, m.texts.tokens[at:at+uint64(n)]...)
}

// quoted is how many paragraphs an answer quotes.
const quoted = 1

// each visits the paragraphs of a mail's own text, the first of them.
func (m *mailMaker) each(n uint32, most uint64, visit func(*paragraph)) {
	list := m.texts.paragraphs[max(m.customer(n).Language, 0)]
	dice := m.dice(n, 10)
	count := 3 + dice%3
	if dice>>8%20 == 0 {
		count += 12 // a long one
	}
	for i := range min(count, most) {
		visit(&list[m.dice(n, 11+i)%uint64(len(list))])
	}
}

// sign is who a mail is from, without addresses.
func (m *mailMaker) sign(n uint32) (hello, to, bye, name string) {
	p := m.customer(n)
	l := &languages[max(p.Language, 0)]
	if m.incoming(n) {
		return l.hello, "", l.bye, p.Name
	}
	return l.hello, " " + p.Name, l.bye, deskName
}

func (m *mailMaker) text(w *bodyWriter, n uint32) {
	hello, to, bye, name := m.sign(n)
	w.raw(hello)
	w.raw(to)
	w.raw(",\n\n")
	m.each(n, math.MaxUint64, func(p *paragraph) {
		w.put(&p.text)
		w.raw("\n\n")
	})
	w.raw(bye)
	w.raw("\n\n-- \n")
	w.raw(name)
	w.raw("\nTel. +49 30 5550 ")
	w.b = strconv.AppendUint(w.b, m.dice(n, 40)%900+100, 10)
	w.raw("\nwww.mail.example\n")
	if p, ok := previousOf(n); ok {
		lines := m.texts.quotes[max(m.customer(n).Language, 0)]
		_, _, bye, name := m.sign(p)
		w.raw("\n")
		w.raw(lines[0])
		w.raw(name)
		w.raw(lines[1])
		w.raw("\n")
		m.each(p, quoted, func(q *paragraph) {
			w.raw("> ")
			w.put(&q.text)
			w.raw("\n>\n")
		})
		w.raw("> ")
		w.raw(bye)
		w.raw("\n> ")
		w.raw(name)
		w.raw("\n")
	}
}

func (m *mailMaker) html(w *bodyWriter, n uint32) {
	dice := m.dice(n, 41)
	st := &m.texts.styles[dice%uint64(len(m.texts.styles))]
	line := func(parts ...string) {
		w.put(&st.open)
		for _, s := range parts {
			w.raw(s)
		}
		w.put(&st.close)
	}
	hello, to, bye, name := m.sign(n)
	w.put(&st.head)
	line(hello, to, ",")
	m.each(n, math.MaxUint64, func(p *paragraph) {
		w.put(&st.open)
		w.put(&p.html)
		w.put(&st.close)
	})
	if dice>>16%4 == 0 {
		m.table(w, n)
	}
	line(bye, "<br>", name)
	for i := range 3 + dice>>20%2 {
		w.put(&st.open)
		w.raw("<a href=")
		w.quote()
		w.raw("https://click.mail.example/f/a/")
		m.token(w, dice+i, 240+int(dice>>(8*i)%200))
		w.quote()
		w.raw(" target=")
		w.quote()
		w.raw("_blank")
		w.quote()
		w.raw(" rel=")
		w.quote()
		w.raw("noopener")
		w.quote()
		w.raw(">www.mail.example</a>")
		w.put(&st.close)
	}
	if p, ok := previousOf(n); ok {
		lines := m.texts.quotes[max(m.customer(n).Language, 0)]
		_, _, bye, name := m.sign(p)
		w.put(&st.quoteOpen)
		line(lines[0], name, lines[1])
		m.each(p, quoted, func(q *paragraph) {
			w.put(&st.open)
			w.put(&q.html)
			w.put(&st.close)
		})
		line(bye, "<br>", name)
		w.put(&st.quoteClose)
	}
	if dice>>24%5 == 0 {
		w.put(&st.open)
		w.put(&m.texts.small[dice>>28%uint64(len(m.texts.small))].html)
		w.put(&st.close)
	}
	w.put(&st.foot)
}

var (
	tableOpen = pieceOf(`<table border="1" cellspacing="0" cellpadding="4" style="border-collapse:collapse;width:100%;margin:12px 0"><thead><tr style="background-color:#f0f0f0"><th align="left">Item</th><th align="right">Quantity</th><th align="right">Price</th></tr></thead><tbody>` + "\n")
	rowOpen   = pieceOf(`<tr><td style="padding:4px 8px;border:1px solid #ddd">`)
	cellNext  = pieceOf(`</td><td align="right" style="padding:4px 8px;border:1px solid #ddd">`)
	rowClose  = piece{"</td></tr>\n", "</td></tr>\n"}
	tableEnd  = piece{"</tbody></table>\n", "</tbody></table>\n"}
)

// table is an order or an invoice.
func (m *mailMaker) table(w *bodyWriter, n uint32) {
	w.put(&tableOpen)
	for i := range 2 + m.dice(n, 42)%6 {
		dice := m.dice(n, 43+i)
		w.put(&rowOpen)
		w.raw("Art. ")
		m.token(w, dice, 8)
		w.put(&cellNext)
		w.b = strconv.AppendUint(w.b, 1+dice%40, 10)
		w.put(&cellNext)
		w.b = strconv.AppendUint(w.b, dice>>8%2000, 10)
		w.raw(".")
		w.b = strconv.AppendUint(w.b, 10+dice>>24%90, 10)
		w.put(&rowClose)
	}
	w.put(&tableEnd)
}

// caseMaker makes the cases of the e-mails.
type caseMaker struct{ *mailMaker }

// Cells of a case, in the order of caseCells.
const (
	caseNumber = iota
	caseContact
	caseAccount
	caseSuppliedName
	caseSuppliedEmail
	caseType
	caseStatus
	caseReason
	caseOrigin
	caseTitle
	casePriority
	caseDescription
	caseIsClosed
	caseClosed
	caseEscalated
	caseOwner
	caseCreator
	caseModifier
)

var caseCells = []string{
	"CaseNumber", "ContactId", "AccountId", "SuppliedName", "SuppliedEmail", "Type", "Status", "Reason", "Origin", "Subject", "Priority",
	"Description", "IsClosed", "ClosedDate", "IsEscalated", "OwnerId", "CreatedById", "LastModifiedById",
}

// stockCases is the number before the first case of a stock.
const stockCases = 10_000_000

func (m *caseMaker) cells() []string { return caseCells }

func caseSubject(m *mailMaker, c uint32) string {
	l := &languages[max(m.customerOf(c).Language, 0)]
	return l.subjects[m.dice(c, 20)%uint64(len(l.subjects))] + " (" + strconv.FormatUint(m.dice(c, 21)%1_000_000, 10) + ")"
}

func (m *caseMaker) closed(c uint32) bool { return m.dice(c, 22)%10 < 8 }

func (m *caseMaker) value(c uint32, cell int) any {
	of := func(salt uint64, list []string) string { return list[m.dice(c, salt)%uint64(len(list))] }
	p := m.customerOf(c)
	var s string
	switch cell {
	case caseNumber:
		s = strconv.Itoa(stockCases + int(c))
	case caseContact:
		s = p.ID
	case caseAccount:
		s = p.Account
	case caseSuppliedName:
		s = p.Name
	case caseSuppliedEmail:
		s = p.Email
	case caseType:
		s = of(23, []string{"Question", "Problem", "Feature Request"})
	case caseStatus:
		s = "Closed"
		if !m.closed(c) {
			s = of(24, caseStatuses[:len(caseStatuses)-1])
		}
	case caseReason:
		s = of(25, []string{"Installation", "Performance", "Billing", "Other"})
	case caseOrigin:
		s = "Email"
	case caseTitle:
		s = caseSubject(m.mailMaker, c)
	case casePriority:
		s = of(26, casePriorities)
	case caseDescription:
		list := m.texts.paragraphs[max(p.Language, 0)]
		s = list[m.dice(c, 27)%uint64(len(list))].text.plain
	case caseOwner:
		s = m.Users[c%uint32(len(m.Users))]
		if c%3 == 0 && len(m.Queues) > 0 {
			s = m.Queues[m.dice(c, 28)%uint64(len(m.Queues))]
		}
	case caseCreator, caseModifier:
		s = m.Users[0]
	case caseIsClosed:
		return m.closed(c)
	case caseEscalated:
		return false
	case caseClosed:
		if m.closed(c) {
			return time.Unix(int64(m.cases.stamped[c]), 0).UTC()
		}
	}
	if s == "" {
		return nil
	}
	return s
}

func (m *caseMaker) appendCell(b []byte, c uint32, cell int) []byte {
	f := m.cases.obj.Fields[m.cases.obj.field(caseCells[cell])]
	return appendBulk(b, f, m.value(c, cell))
}

func (m *caseMaker) children(field, id string, visit func(uint32)) {
	if field != "ContactId" && field != "AccountId" {
		return
	}
	for i, p := range m.People {
		if field == "ContactId" && p.ID != id || field == "AccountId" && p.Account != id {
			continue
		}
		for c := i; c < len(m.cases.created); c += len(m.People) {
			visit(uint32(c))
		}
	}
}
