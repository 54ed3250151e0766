package simforce

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// loadSpan is the time before the start over which loaded mail is spread.
const loadSpan = 30 * 24 * time.Hour

// deliver writes letters as rows: one EmailMessage each, in the given order,
// and around them one Case per thread, Contacts, Accounts and recipients. Ids
// depend on the order alone. The caller holds the data lock.
func (s *Server) deliver(letters []*letter) {
	o := s.orgs[0]
	d := s.newDelivery(o)
	thread := threads(letters)
	members := map[int][]int{}
	for i, t := range thread {
		members[t] = append(members[t], i)
	}
	stamps := s.spread(len(letters))
	cases := map[int]string{}
	for i, l := range letters {
		t := thread[i]
		in := slices.Clone(members[t])
		slices.SortStableFunc(in, func(a, b int) int {
			return cmp.Or(letters[a].date.Compare(letters[b].date), cmp.Compare(a, b))
		})
		first := letters[in[0]]
		// The one who opened the thread is the customer; others answer.
		l.incoming = strings.EqualFold(l.from, first.from)
		l.root = cmp.Or(first.id, l.id)
		if len(first.references) > 0 {
			l.root = first.references[0]
		}
		answered := l.incoming && in[len(in)-1] != i
		if cases[t] == "" {
			cases[t] = d.open(first, stamps[i], uint64(t))
		}
		d.message(l, cases[t], stamps[i], answered)
	}
	d.link(letters)
	d.extras(cases)
}

// spread gives n stamps in ascending order up to an hour ago. Every so often a
// dozen share one second, as after a bulk load.
func (s *Server) spread(n int) []time.Time {
	end := s.now().Add(-time.Hour).Truncate(time.Second)
	out := make([]time.Time, n)
	for i := range out {
		at := i
		if i/12%5 == 4 {
			at = i - i%12
		}
		out[i] = end.Add(-loadSpan + loadSpan*time.Duration(at)/time.Duration(max(n, 1))).Truncate(time.Second)
	}
	return out
}

// delivery remembers whom and what it has written already.
type delivery struct {
	s        *Server
	o        *org
	user     string
	contacts map[string]string // address → Contact
	accounts map[string]string // domain → Account
	byID     map[string]string // Message-ID → EmailMessage
	written  []string
}

// newDelivery starts with the people the org has. Finding them is done once;
// contact checks that a remembered one is still there.
func (s *Server) newDelivery(o *org) *delivery {
	if s.contacts == nil {
		s.contacts, s.accounts = map[string]string{}, map[string]string{}
		o.table("Contact").each(func(r *record) bool {
			s.contacts[strings.ToLower(r.text("Email"))] = r.id()
			return true
		})
		o.table("Account").each(func(r *record) bool {
			if domain, ok := strings.CutPrefix(r.text("Website"), "https://"); ok {
				s.accounts[domain] = r.id()
			}
			return true
		})
	}
	return &delivery{s: s, o: o, user: o.firstUser(), contacts: s.contacts, accounts: s.accounts, byID: map[string]string{}}
}

// there reports whether an id still names a row that is not deleted.
func (d *delivery) there(id string) bool {
	r := d.o.find(id)
	return r != nil && !r.deleted()
}

func (d *delivery) put(object string, at time.Time, fields Row) string {
	return d.o.must(change{object: object, fields: fields, user: d.user, now: at, system: true}).id()
}

// contact finds or makes the Contact of an address, "" when there is none.
func (d *delivery) contact(name, address string, at time.Time) string {
	address = strings.ToLower(address)
	if address == "" || len(address) > 80 {
		return ""
	}
	if id := d.contacts[address]; d.there(id) {
		return id
	}
	local, domain, _ := strings.Cut(address, "@")
	fields := Row{"Email": address, "LastName": cut(cmp.Or(lastWord(name), local, address), 80)}
	if first := strings.TrimSpace(strings.TrimSuffix(name, lastWord(name))); first != "" {
		fields["FirstName"] = cut(first, 40)
	}
	if domain != "" {
		if !d.there(d.accounts[domain]) {
			d.accounts[domain] = d.put("Account", at, Row{"Name": accountName(domain), "Website": cut("https://"+domain, 255), "Type": "Customer - Direct"})
		}
		fields["AccountId"] = d.accounts[domain]
	}
	d.contacts[address] = d.put("Contact", at, fields)
	return d.contacts[address]
}

func lastWord(name string) string {
	words := strings.Fields(name)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// accountName makes "Example" of mail.example.com.
func accountName(domain string) string {
	labels := strings.Split(domain, ".")
	name := labels[max(len(labels)-2, 0)]
	if name == "" {
		return domain
	}
	return cut(strings.ToUpper(name[:1])+name[1:]+" ("+domain+")", 255)
}

// open writes the Case of a thread.
func (d *delivery) open(first *letter, at time.Time, n uint64) string {
	contact := d.contact(first.fromName, first.from, at)
	pick := func(salt uint64, list []string) string { return list[mix(salt+n*31, first.subject)%uint64(len(list))] }
	queue := ""
	d.o.table("Group").each(func(r *record) bool { queue = r.id(); return n%2 == 0 })
	fields := Row{
		"Subject": cut(bareSubject(first.subject), 255), "Origin": "Email",
		"Status": pick(1, caseStatuses), "Priority": pick(2, casePriorities),
		"SuppliedEmail": nilIf(len(first.from) > 80, first.from), "SuppliedName": cut(first.fromName, 80),
		"Description": cut(first.text, 1000), "OwnerId": d.user,
	}
	if n%3 == 0 && queue != "" {
		fields["OwnerId"] = queue
	}
	if contact != "" {
		fields["ContactId"] = contact
		if c := d.o.find(contact); c.text("AccountId") != "" {
			fields["AccountId"] = c.text("AccountId")
		}
	}
	return d.put("Case", at, fields)
}

func nilIf(is bool, s string) any {
	if is {
		return nil
	}
	return s
}

// bareSubject drops reply and forward marks.
func bareSubject(s string) string {
	for {
		mark, rest, found := strings.Cut(s, ":")
		if !found || !slices.Contains([]string{"re", "fw", "fwd", "aw", "wg", "sv", "rv"}, strings.ToLower(strings.TrimSpace(mark))) {
			return strings.TrimSpace(s)
		}
		s = rest
	}
}

// message writes the EmailMessage and its recipients.
func (d *delivery) message(l *letter, caseID string, at time.Time, answered bool) {
	status := "0"
	switch {
	case !l.incoming:
		status = "3"
	case answered:
		status = "2"
	case len(d.written)%2 == 1:
		status = "1"
	}
	date := l.date
	if date.IsZero() {
		date = at
	}
	fields := Row{
		"ParentId": caseID, "RelatedToId": caseID, "Subject": cut(l.subject, 4000),
		"TextBody": cut(l.text, maxText), "HtmlBody": cut(l.html, maxText),
		"FromName": cut(l.fromName, 1000), "FromAddress": cut(cleanText(l.from), 80),
		"ToAddress": joinAddresses(l.to), "CcAddress": joinAddresses(l.cc),
		"MessageIdentifier": cut(l.id, 765), "ThreadIdentifier": cut(l.root, 765),
		"MessageDate": date, "Incoming": l.incoming, "Status": status, "HasAttachment": l.attachment,
		"IsExternallyVisible": true,
	}
	to, cc := l.to, l.cc
	if l.incoming {
		fields["Headers"] = l.headers
	} else if d.s.Knobs().MatchRecipients {
		var toIDs, ccIDs []string
		toIDs, to = d.matched(to)
		ccIDs, cc = d.matched(cc)
		fields["ToAddress"], fields["CcAddress"] = joinAddresses(to), joinAddresses(cc)
		fields["ToIds"], fields["CcIds"] = toIDs, ccIDs
	}
	id := d.put("EmailMessage", at, fields)
	if l.id != "" && d.byID[l.id] == "" {
		d.byID[l.id] = id
	}
	d.written = append(d.written, id)
	if contact := d.contact(l.fromName, l.from, at); contact != "" {
		d.put("EmailMessageRelation", at, Row{"EmailMessageId": id, "RelationId": contact, "RelationType": "FromAddress", "RelationAddress": cut(l.from, 1000)})
	}
	d.relate(id, "ToAddress", to, at)
	d.relate(id, "CcAddress", cc, at)
}

// maxRelated bounds the recipients that get a row of their own.
const maxRelated = 5

func (d *delivery) relate(message, kind string, list []string, at time.Time) {
	for _, address := range list[:min(len(list), maxRelated)] {
		d.put("EmailMessageRelation", at, Row{"EmailMessageId": message, "RelationType": kind, "RelationAddress": cut(address, 1000)})
	}
}

// link sets ReplyToEmailMessageId where the answered mail is here too, and
// touches some rows again so that stamps do not follow the order of creation.
func (d *delivery) link(letters []*letter) {
	last := d.s.now().Add(-10 * time.Minute)
	for i, id := range d.written {
		r := d.o.find(id)
		at := time.Unix(r.stamp(), 0)
		if parent := d.byID[letters[i].parent]; parent != "" && parent != id {
			d.o.must(change{object: "EmailMessage", id: id, fields: Row{"ReplyToEmailMessageId": parent}, user: d.user, now: at, system: true})
		}
		if later := at.Add(time.Duration(7+i%50) * time.Hour); i%17 == 16 && later.Before(last) {
			d.o.must(change{object: "EmailMessage", id: id, fields: Row{"IsExternallyVisible": false}, user: d.user, now: later, system: true})
		}
	}
}

// extras writes a few rows of the other objects beside the cases.
func (d *delivery) extras(cases map[int]string) {
	at := d.s.now().Add(-30 * time.Minute)
	for t := range len(cases) {
		id := cases[t]
		c := d.o.find(id)
		switch t % 6 {
		case 0:
			d.put("CaseComment", at, Row{"ParentId": id, "CommentBody": "Called back and confirmed the next step for case " + c.text("CaseNumber") + ".", "IsPublished": t%4 == 0})
		case 1:
			d.put("Survey_Response__c", at, Row{"Case__c": id, "Submitted__c": at, "Feedback__c": "Answer came quickly. The second mail solved it.", "Score__c": float64(t%11) - 0.5*float64(t%2)})
		case 2:
			d.put("Task", at, Row{"WhatId": id, "WhoId": nilIf(c.text("ContactId") == "", c.text("ContactId")), "AccountId": nilIf(c.text("AccountId") == "", c.text("AccountId")),
				"Subject": "Call", "Description": "Ring the customer about " + c.text("Subject"), "TaskSubtype": "Call",
				"CallType": "Outbound", "CallDurationInSeconds": int64(60 + t), "ActivityDate": at})
		case 3:
			post := d.put("FeedItem", at, Row{"ParentId": id, "Type": "TextPost", "Body": "Has anyone seen this before?"})
			d.put("FeedComment", at, Row{"FeedItemId": post, "ParentId": id, "CommentBody": "<p>Yes, <b>last week</b>.</p>", "IsRichText": true})
		case 4:
			d.put("LiveChatTranscript", at, Row{"CaseId": id, "ContactId": nilIf(c.text("ContactId") == "", c.text("ContactId")),
				"Status": "Completed", "StartTime": at.Add(-time.Hour), "EndTime": at.Add(-50 * time.Minute), "ChatDuration": int64(600), "WaitTime": int64(9),
				"Body": `<p align="center">Chat Started: ` + at.Add(-time.Hour).Format("Monday, January 02, 2006, 15:04:05 (-0700)") + `</p><p align="center">Agent Lena B</p>` +
					"( 4s ) Visitor: Hello, is somebody there?<br>( 1m 20s ) Lena: Yes, how can I help?<br>"})
		}
	}
}
