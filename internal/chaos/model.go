package chaos

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/expect"
	"salesforcesync/internal/simforce"
)

// tenant is an integration of a project of its own, with a Salesforce org of its own.
type tenant struct {
	project, integration, source string
	org, user                    string // at the simulator
	objects                      []string
	reader                       string // API token of somebody who may read this project alone
	sourceID                     string // in the database
}

func (t *tenant) name() string { return t.project + "/" + t.integration }

// key names a comment of the tenant among all.
func (t *tenant) key(comment string) string { return t.project + "/" + comment }

// path is the source as the API names it.
func (t *tenant) path() string { return t.project + "/" + t.source }

// become is the comment that a row must become; nil when it is none.
func become(object string, row simforce.Row, p expect.Parents) *comment.Comment {
	switch object {
	case expect.MailObject:
		if row["Status"] == "5" || row["IsPrivateDraft"] == true { // a draft
			return nil
		}
		return expect.Mail(row, p)
	case expect.NoteObject:
		return expect.Note(row, p)
	}
	return expect.Survey(row, p)
}

// textOf is what stands in the bill for the text of a row; it needs no parents.
func textOf(object string, row simforce.Row) string {
	c := become(object, row, expect.Parents{})
	if c == nil {
		return ""
	}
	return hex.EncodeToString(comment.HashTexts(c.Texts()))
}

// text is one that a record had. No two of one record are alike.
type text struct {
	hash   string
	must   bool // it must cost a unit: no other text came over it before it was read
	billed bool // it has
}

// record is what the model knows of a record of Salesforce.
type record struct {
	tenant  *tenant
	object  string
	id      string
	texts   []text
	deleted bool
	last    time.Time // when its newest change could be seen at the latest; its stamp is not later
	stamp   time.Time // not before its newest stamp
	late    time.Time // when a transaction that had it commits at the latest
}

// billed reports whether its newest text has cost its unit: what comes over it now cannot keep it from being read.
func (r *record) billed() bool { return r.texts[len(r.texts)-1].billed }

// overtake says that something comes over the newest text, which may so never be read.
func (r *record) overtake() {
	if t := &r.texts[len(r.texts)-1]; !t.billed {
		t.must = false
	}
}

// model is what must have become of every record, and what it must have cost, worked out from the writes. It shares
// nothing with the product but the way in which texts are cleaned and compared.
type model struct {
	mu      sync.Mutex
	records map[string]*record // by tenant and comment: two orgs may have one Id
	list    []*record
	wrong   []string // units that must not be
}

func newModel() *model { return &model{records: map[string]*record{}} }

// created notes a new record; it is seen at the latest at seen.
func (m *model) created(t *tenant, object string, row simforce.Row, seen time.Time) {
	late := time.Time{}
	if seen.After(time.Now()) {
		late = seen
	}
	hash := textOf(object, row)
	if hash == "" {
		return
	}
	r := &record{tenant: t, object: object, id: expect.Text(row, "Id"), texts: []text{{hash: hash, must: true}}, last: seen, stamp: time.Now(), late: late}
	if stamp, ok := row["SystemModstamp"].(time.Time); ok {
		r.stamp = stamp
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[t.key(expect.HexOf(r.id))] = r
	m.list = append(m.list, r)
}

// changed notes a change of a record; hash is its text now.
func (m *model) changed(r *record, hash string, seen time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.texts[len(r.texts)-1].hash != hash {
		r.overtake()
		r.texts = append(r.texts, text{hash: hash, must: true})
	}
	r.last, r.stamp = seen, time.Now()
	if seen.After(time.Now()) {
		r.late = seen
	}
}

// removed notes that a record was deleted, or came back.
func (m *model) removed(r *record, deleted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.deleted = deleted
	if deleted {
		r.overtake()
	} else {
		r.texts[len(r.texts)-1].must = true
	}
	r.last, r.stamp = time.Now(), time.Now()
}

// lateFor is how long after its commit the product may take to find what a transaction has committed late, with a stamp
// that everybody has looked past: it is the scan of each minute that finds it, and two rounds after that.
const lateFor = 90 * time.Second

// isLate reports whether a record was committed late, and lately.
func (m *model) isLate(t *tenant, comment string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.records[t.key(comment)]
	return r != nil && !r.late.IsZero() && time.Since(r.late) < lateFor
}

// unit is a row of the ledger.
type unit struct {
	comment  string
	revision int
	reason   string
	after    string
}

// charge holds units of a tenant against the texts: each is of a text that the record had, in the order in which it
// had them, and none is charged twice. seen are the units that were told before.
func (m *model) charge(t *tenant, units []unit, seen map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range units {
		key := fmt.Sprintf("%s/%s/%d/%s", t.project, u.comment, u.revision, u.after)
		if seen[key] {
			continue
		}
		seen[key] = true
		if problem := m.chargeOne(t, u); problem != "" {
			m.wrong = append(m.wrong, fmt.Sprintf("%s: a unit of comment %s, revision %d, %s: %s", t.name(), u.comment, u.revision, u.reason, problem))
		}
	}
}

func (m *model) chargeOne(t *tenant, u unit) string {
	r := m.records[t.key(u.comment)]
	if r == nil {
		return "there is no such record"
	}
	at := slices.IndexFunc(r.texts, func(x text) bool { return x.hash == u.after })
	before := 0
	for _, x := range r.texts {
		if x.billed {
			before++
		}
	}
	switch {
	case at < 0:
		return "it is of a text that the record never had"
	case r.texts[at].billed:
		return "its text has cost a unit before"
	case slices.ContainsFunc(r.texts[at:], func(x text) bool { return x.billed }):
		return "a later text has cost its unit before"
	case u.revision != before+1:
		return fmt.Sprintf("%d texts have cost one before", before)
	case (u.reason == "created") != (before == 0):
		return fmt.Sprintf("after %d others", before)
	}
	r.texts[at].billed = true
	return ""
}

// bill is what a tenant's records have cost and must have cost at least.
type bill struct {
	units  int
	unpaid []difference // texts that must have cost a unit and have not
	spared int          // texts that something came over before they were read
}

func (m *model) bill(t *tenant) bill {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b bill
	for _, r := range m.list {
		if r.tenant != t {
			continue
		}
		for i, x := range r.texts {
			switch {
			case x.billed:
				b.units++
			case x.must:
				b.unpaid = append(b.unpaid, difference{kind: "units", comment: expect.HexOf(r.id),
					text: fmt.Sprintf("%s: text %d of %d of %s %s cost nothing", t.name(), i+1, len(r.texts), r.object, r.id)})
			default:
				b.spared++
			}
		}
	}
	return b
}

// quiet lists records whose newest change everybody could see before a moment and has a stamp at or before another one:
// what is complete up to then must have them as they are.
func (m *model) quiet(t *tenant, before, upTo time.Time) map[string]record {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]record{}
	for _, r := range m.list {
		if r.tenant == t && r.last.Before(before) && !r.stamp.After(upTo) {
			out[expect.HexOf(r.id)] = record{tenant: r.tenant, object: r.object, id: r.id, texts: slices.Clone(r.texts), deleted: r.deleted}
		}
	}
	return out
}

// story tells what the model knows of a comment, for a person.
func (m *model) story(t *tenant, id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.records[t.key(id)]
	if r == nil {
		return "no record is known that became " + id
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s of %s, deleted %v, last changed %s:", r.object, r.id, r.tenant.name(), r.deleted, r.last.Format(time.TimeOnly))
	for _, x := range r.texts {
		fmt.Fprintf(&b, " %.8s (must %v, billed %v)", x.hash, x.must, x.billed)
	}
	return b.String()
}
