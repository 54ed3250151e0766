package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"salesforcesync/internal/expect"
	"salesforcesync/internal/simforce"
)

// load writes to Salesforce all the time, as its people do.
type load struct {
	r *Run
	g *rand.Rand

	// writing is held while a write is under way, and by who takes Salesforce away: no write may be cut, because nobody
	// would know whether it has happened.
	writing sync.Mutex
	n       int
	writes  map[string]int
	since   time.Time // the newest write
	cases   map[*tenant]cases
}

// marker stands in every text that is written, so that bodies can be looked for where they must not be.
const marker = "Quokka"

func newLoad(r *Run) *load {
	return &load{r: r, g: rand.New(rand.NewPCG(r.o.Seed, 1)), writes: map[string]int{}, cases: map[*tenant]cases{}}
}

// kinds of writes and how often they are, all in all a hundred.
var kinds = []struct {
	name   string
	weight int
	do     func(*load, context.Context, *tenant) error
}{
	{"mail created", 24, func(l *load, ctx context.Context, t *tenant) error { return l.create(ctx, t, expect.MailObject, 0) }},
	{"comment created", 8, func(l *load, ctx context.Context, t *tenant) error { return l.create(ctx, t, expect.NoteObject, 0) }},
	{"survey created", 6, func(l *load, ctx context.Context, t *tenant) error { return l.create(ctx, t, expect.SurveyObject, 0) }},
	{"text changed", 20, func(l *load, ctx context.Context, t *tenant) error { return l.edit(ctx, t, 0) }},
	{"metadata changed", 10, (*load).metadata},
	{"case changed", 9, (*load).parent},
	{"deleted", 5, func(l *load, ctx context.Context, t *tenant) error { return l.remove(ctx, t, true) }},
	{"undeleted", 4, func(l *load, ctx context.Context, t *tenant) error { return l.remove(ctx, t, false) }},
	{"created by a late commit", 4, func(l *load, ctx context.Context, t *tenant) error {
		return l.create(ctx, t, expect.MailObject, 2+l.g.IntN(12))
	}},
	{"text changed by a late commit", 3, func(l *load, ctx context.Context, t *tenant) error { return l.edit(ctx, t, 2+l.g.IntN(12)) }},
	{"twenty created in a second", 1, (*load).burst},
	{"stamped, content as it was", 2, (*load).bump},
	{"case created", 3, (*load).newCase},
	{"account renamed", 1, (*load).account},
}

// run writes until ctx ends.
func (l *load) run(ctx context.Context) {
	for wait(ctx, time.Duration(l.g.ExpFloat64()/l.r.o.Rate*float64(time.Second))) {
		l.writing.Lock()
		if err := l.write(context.WithoutCancel(ctx)); err != nil {
			l.r.off("the load", "%v", err)
		}
		l.writing.Unlock()
	}
}

// write makes one write. What Salesforce refuses (a locked row, nothing to choose) has not happened.
func (l *load) write(ctx context.Context) error {
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	die := l.g.IntN(total)
	for _, k := range kinds {
		if die -= k.weight; die >= 0 {
			continue
		}
		err := k.do(l, ctx, l.r.tenants[l.g.IntN(len(l.r.tenants))])
		if err == nil {
			l.writes[k.name]++
			l.since = time.Now()
		}
		if errors.Is(err, errRefused) {
			return nil
		}
		return err
	}
	return nil
}

func (l *load) word() string {
	words := []string{"printer", "invoice", "late", "broken", "Grüße", "refund", "please", "λ", "urgent", "thank you", "& more", "“quoted”", "日本語", "order"}
	return words[l.g.IntN(len(words))]
}

// sentence is like no other.
func (l *load) sentence() string {
	l.n++
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d says", marker, l.n)
	for range 2 + l.g.IntN(12) {
		b.WriteString(" " + l.word())
	}
	return b.String()
}

// text is what a record's text may become.
func (l *load) text(object string) simforce.Row {
	switch {
	case object == expect.NoteObject:
		return simforce.Row{"CommentBody": l.sentence()}
	case object == expect.SurveyObject:
		return simforce.Row{"Feedback__c": l.sentence()}
	case l.g.IntN(4) == 0:
		return simforce.Row{"HtmlBody": "<p>" + l.sentence() + "</p><p>" + l.sentence() + "</p>", "TextBody": nil}
	case l.g.IntN(4) == 0:
		return simforce.Row{"Subject": l.sentence()}
	}
	return simforce.Row{"TextBody": l.sentence(), "HtmlBody": nil}
}

// aCase is a case of the tenant's; nil for none. The list may be some seconds old.
func (l *load) aCase(ctx context.Context, t *tenant) (simforce.Row, error) {
	known := l.cases[t]
	if time.Since(known.at) > 5*time.Second {
		list, err := l.r.stack.rows(ctx, t.org, "Case")
		if err != nil {
			return nil, err
		}
		known = cases{time.Now(), list}
		l.cases[t] = known
	}
	if len(known.list) == 0 {
		return nil, nil
	}
	return known.list[l.g.IntN(len(known.list))], nil
}

// cases are those of a tenant at a moment.
type cases struct {
	at   time.Time
	list []simforce.Row
}

// pick chooses a record. One whose newest text has not been billed is left alone by most, so that what it costs is known to
// the unit.
func (l *load) pick(t *tenant, fits func(*record) bool) *record {
	m := l.r.model
	m.mu.Lock()
	defer m.mu.Unlock()
	for range 40 {
		if len(m.list) == 0 {
			return nil
		}
		r := m.list[l.g.IntN(len(m.list))]
		if r.tenant == t && r.last.Before(time.Now()) && fits(r) && (r.billed() || l.g.IntN(8) == 0) {
			return r
		}
	}
	return nil
}

func alive(r *record) bool { return !r.deleted }

var errNothing = fmt.Errorf("nothing to choose: %w", errRefused)

// create writes a new record, seen after so many seconds.
func (l *load) create(ctx context.Context, t *tenant, object string, after int) error {
	if object == expect.SurveyObject && len(t.objects) < 3 {
		object = expect.NoteObject
	}
	parent, err := l.aCase(ctx, t)
	if err != nil {
		return err
	}
	f := l.text(object)
	switch object {
	case expect.MailObject:
		f["Incoming"], f["Status"] = l.g.IntN(3) > 0, []string{"0", "1", "2", "3"}[l.g.IntN(4)]
		f["FromAddress"], f["FromName"], f["ToAddress"] = "ann@example.com", "Ann "+l.word(), "help@acme.example; b@example.com"
		f["MessageDate"] = time.Now().UTC().Truncate(time.Second)
		if parent != nil && l.g.IntN(5) > 0 {
			f["ParentId"] = parent["Id"]
		}
	case expect.NoteObject:
		if parent == nil {
			return errNothing
		}
		f["ParentId"] = parent["Id"]
	case expect.SurveyObject:
		f["Submitted__c"], f["Score__c"] = time.Now().UTC().Truncate(time.Second), float64(l.g.IntN(101))/10
	}
	row, err := l.r.stack.create(ctx, object, simforce.Write{Org: t.org, Fields: f, CommitAfter: float64(after)})
	if err == nil {
		l.r.model.created(t, object, row, seenAt(after))
	}
	return err
}

// seenAt is when a transaction of so many seconds has been committed for sure.
func seenAt(after int) time.Time {
	if after == 0 {
		return time.Now()
	}
	return time.Now().Add(time.Duration(after)*time.Second + time.Second)
}

// edit gives a record another text, seen after so many seconds.
func (l *load) edit(ctx context.Context, t *tenant, after int) error {
	r := l.pick(t, func(r *record) bool { return alive(r) && (after == 0 || r.billed()) })
	if r == nil {
		return errNothing
	}
	f := l.text(r.object)
	row, err := l.r.stack.update(ctx, r.object, r.id, simforce.Write{Org: t.org, Fields: f, CommitAfter: float64(after)})
	if err != nil {
		return err
	}
	for name, value := range f { // of a row that is not committed yet, too
		row[name] = value
	}
	l.r.model.changed(r, textOf(r.object, row), seenAt(after))
	return nil
}

// metadata changes what costs nothing.
func (l *load) metadata(ctx context.Context, t *tenant) error {
	r := l.pick(t, alive)
	if r == nil {
		return errNothing
	}
	f := map[string]simforce.Row{
		expect.MailObject:   {"Status": []string{"0", "1", "2", "3", "4"}[l.g.IntN(5)], "CcAddress": fmt.Sprintf("c%d@example.com", l.g.IntN(100))},
		expect.NoteObject:   {"IsPublished": l.g.IntN(2) == 0},
		expect.SurveyObject: {"Score__c": float64(l.g.IntN(101)) / 10},
	}[r.object]
	row, err := l.r.stack.update(ctx, r.object, r.id, simforce.Write{Org: t.org, Fields: f})
	if err == nil {
		l.r.model.changed(r, textOf(r.object, row), time.Now())
	}
	return err
}

// parent changes a case, whose mails and comments have it in their properties.
func (l *load) parent(ctx context.Context, t *tenant) error {
	c, err := l.aCase(ctx, t)
	if err != nil {
		return err
	}
	if c == nil || c["IsDeleted"] == true {
		return errNothing
	}
	f := []simforce.Row{
		{"Priority": []string{"Low", "Medium", "High", "Critical"}[l.g.IntN(4)]},
		{"Status": []string{"New", "Working", "Escalated", "Closed"}[l.g.IntN(4)]},
		{"Subject": "Case about " + l.sentence()},
	}[l.g.IntN(3)]
	_, err = l.r.stack.update(ctx, "Case", expect.Text(c, "Id"), simforce.Write{Org: t.org, Fields: f})
	return err
}

// remove deletes a record, or brings one back.
func (l *load) remove(ctx context.Context, t *tenant, deleted bool) error {
	r := l.pick(t, func(r *record) bool { return r.deleted != deleted })
	if r == nil {
		return errNothing
	}
	method, path := http.MethodDelete, "records/"+r.object+"/"+r.id
	if !deleted {
		method, path = http.MethodPost, path+"/undelete"
	}
	err := l.r.stack.control(ctx, method, path+"?org="+url.QueryEscape(t.org), nil, nil)
	if err == nil {
		l.r.model.removed(r, deleted)
	}
	return err
}

// burst writes many mails within a second.
func (l *load) burst(ctx context.Context, t *tenant) error {
	for range 20 {
		if err := l.create(ctx, t, expect.MailObject, 0); err != nil {
			return err
		}
	}
	return nil
}

// bump stamps records anew and leaves them as they are, as jobs of the platform do.
func (l *load) bump(ctx context.Context, t *tenant) error {
	var ids []string
	var list []*record
	for range 5 {
		if r := l.pick(t, func(r *record) bool { return alive(r) && r.object == expect.MailObject }); r != nil {
			ids, list = append(ids, r.id), append(list, r)
		}
	}
	if len(ids) == 0 {
		return errNothing
	}
	err := l.r.stack.control(ctx, http.MethodPost, "bump", map[string]any{"org": t.org, "object": expect.MailObject, "ids": ids, "stamp": time.Now().UTC().Truncate(time.Second)}, nil)
	if err == nil {
		for _, r := range list {
			l.r.model.changed(r, r.texts[len(r.texts)-1].hash, time.Now())
		}
	}
	return err
}

func (l *load) newCase(ctx context.Context, t *tenant) error {
	accounts, err := l.r.stack.rows(ctx, t.org, "Account")
	if err != nil {
		return err
	}
	f := simforce.Row{"Subject": "Case about " + l.sentence(), "Origin": "Email", "Priority": "High"}
	if len(accounts) > 0 {
		f["AccountId"] = accounts[l.g.IntN(len(accounts))]["Id"]
	}
	_, err = l.r.stack.create(ctx, "Case", simforce.Write{Org: t.org, Fields: f})
	return err
}

func (l *load) account(ctx context.Context, t *tenant) error {
	accounts, err := l.r.stack.rows(ctx, t.org, "Account")
	if err != nil {
		return err
	}
	if len(accounts) == 0 {
		_, err = l.r.stack.create(ctx, "Account", simforce.Write{Org: t.org, Fields: simforce.Row{"Name": "Initech"}})
		return err
	}
	a := accounts[l.g.IntN(len(accounts))]
	_, err = l.r.stack.update(ctx, "Account", expect.Text(a, "Id"), simforce.Write{Org: t.org, Fields: simforce.Row{"Name": fmt.Sprintf("Initech %d", l.g.IntN(1000))}})
	return err
}
