package soak

import (
	"encoding/hex"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/expect"
	"salesforcesync/internal/simforce"
)

// world is the simulated org of one script, its clock, and everything that was ever
// true in it: the script looks at all rows after each single write and each move of the
// clock, so nothing that Salesforce ever showed goes unnoticed.
type world struct {
	sim  *simforce.Server
	url  string           // where it lives at first
	web  *httptest.Server // of a live one; the others are asked without a network
	mu   sync.Mutex
	time time.Time
	live *live // scripts that run through Temporal share a clock that runs; else nil

	objects []*object
	hidden  map[string]bool // rows the integration user may not see
	viewAll map[string]bool // objects of which it sees every row all the same
	// fieldsHidden says that fields were hidden for a while: what a record was made of then
	// may lack what they feed, as long as it is not read again.
	fieldsHidden bool
	looks        int
	writes       int
	open         []*openTx
}

// object is one object of the script.
type object struct {
	*kind
	where   where
	policy  string
	renamed bool // its first property has another name
	now     map[string]*state
	past    map[string][]*state
	// untold are records that may be gone without a trace: no row, and no entry in the log
	// of deletes.
	untold map[string]bool
}

// state is what was true of a record from one look on.
type state struct {
	look    int
	at      time.Time
	stamp   time.Time
	deleted bool
	gone    bool // no row at all
	in      bool // within the condition
	seen    bool // by the integration user, should it not be deleted
	parent  string
	slipped bool // it came to be seen or within the condition and no stamp tells of it
	text    string
	print   string
	raw     string
}

// readable is a state whose text the product may take.
func (s *state) readable() bool { return !s.gone && !s.deleted && s.in && s.seen }

// openTx is a transaction that will commit by itself.
type openTx struct {
	*simforce.Tx
	began, until time.Time
}

func newWorld(seed uint64, start time.Time, o simforce.Options, l *live) *world {
	w := &world{time: start, live: l, hidden: map[string]bool{}, viewAll: map[string]bool{}}
	o.Clock, o.Seed = w.now, seed
	var err error
	w.sim, err = simforce.New(o)
	must(err, "start the simulator")
	w.url = "http://127.0.0.1:8090"
	if l != nil {
		w.web = httptest.NewServer(w.sim)
		w.url = w.web.URL
	}
	w.sim.SetBaseURL(w.url)
	return w
}

func (w *world) now() time.Time {
	if w.live != nil {
		return w.live.now()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

func (w *world) close() {
	if w.web != nil {
		w.web.Close()
	}
}

func (w *world) records(name string) []simforce.Row {
	rows, err := w.sim.Records("", name)
	must(err, "read "+name)
	return rows
}

func (w *world) parents() parents { return expect.ParentsOf(w.url, w.records) }

// sees reports whether sharing lets the integration user see the row: mails and comments
// follow their case.
func (w *world) sees(object string, row simforce.Row) bool {
	if w.viewAll[object] {
		return true
	}
	if w.hidden[text(row, "Id")] {
		return false
	}
	if parent := text(row, "ParentId"); parent != "" && object != surveyObject {
		return w.viewAll["Case"] || !w.hidden[parent]
	}
	return true
}

// look notes what has changed since the last look.
func (w *world) look() {
	w.looks++
	p := w.parents()
	for _, o := range w.objects {
		if o.now == nil {
			o.now, o.past, o.untold = map[string]*state{}, map[string][]*state{}, map[string]bool{}
		}
		rows := w.records(o.name)
		there := make(map[string]bool, len(rows))
		for _, row := range rows {
			id := text(row, "Id")
			there[id] = true
			o.note(id, w.stateOf(o, row, p))
		}
		for id, s := range o.now {
			if !there[id] && !s.gone {
				gone := *s
				gone.look, gone.at, gone.gone, gone.slipped = w.looks, w.now(), true, false
				o.note(id, &gone)
			}
		}
	}
}

func (w *world) stateOf(o *object, row simforce.Row, p parents) *state {
	s := &state{look: w.looks, at: w.now()}
	s.stamp, _ = row["SystemModstamp"].(time.Time)
	s.deleted = row["IsDeleted"] == true
	s.in = o.counts(row) && o.where.holds(row, p)
	s.seen = w.sees(o.name, row)
	s.parent = text(row, "ParentId")
	parent := p.CaseOf(row)
	s.raw = fmt.Sprint(o.renamed, row["Subject"], "\x00", row["TextBody"], "\x00", row["HtmlBody"], "\x00", row["FromName"], row["FromAddress"], row["ToAddress"],
		row["Status"], row["ParentId"], row["CommentBody"], row["Feedback__c"], "\x00", row["Submitted__c"], row["Score__c"], row["Incoming"], row["MessageDate"], row["CreatedDate"],
		parent["Status"], parent["Priority"], parent["Origin"], parent["Subject"], p.Accounts[text(parent, "AccountId")]["Name"], parent["OwnerId"], row["HasAttachment"], row["CcAddress"])
	for _, rel := range p.Relations[text(row, "Id")] {
		s.raw += fmt.Sprint(rel["RelationType"], rel["RelationAddress"])
	}
	if old := o.now[text(row, "Id")]; old != nil && old.raw == s.raw {
		s.text, s.print = old.text, old.print
	} else if c := o.become(row, p); c != nil {
		o.rename(c)
		s.text, s.print = hex.EncodeToString(comment.HashTexts(c.Texts())), expect.Print(c)
	}
	return s
}

// newNames are the names of properties after the integration file was changed.
var newNames = map[string]string{"string:Read": "string:Mail Status", "string:Case Subject": "string:Case Title", "number:Score": "number:Rating"}

func (o *object) rename(c *comment.Comment) {
	if !o.renamed {
		return
	}
	for from, to := range newNames {
		if v, ok := c.Properties[from]; ok {
			delete(c.Properties, from)
			c.Properties[to] = v
		}
	}
}

func (o *object) note(id string, s *state) {
	old := o.now[id]
	if old != nil {
		if old.stamp.Equal(s.stamp) && !old.gone {
			s.slipped = old.slipped || !old.readable() && s.readable()
		}
		same := old.stamp.Equal(s.stamp) && old.deleted == s.deleted && old.gone == s.gone && old.in == s.in &&
			old.seen == s.seen && old.text == s.text && old.print == s.print
		if same {
			return
		}
	}
	o.now[id] = s
	o.past[id] = append(o.past[id], s)
}

// write makes one change and looks. What Salesforce refuses (a locked row, a row that
// is gone) has not happened; that is for the script to have tried.
func (w *world) write(change func() error) {
	if w.live != nil { // time goes on by itself, and commits what is late
		w.live.mu.RLock()
		defer w.live.mu.RUnlock()
		w.look()
	}
	if change() == nil {
		w.writes++
	}
	w.look()
}

// story tells everything that was ever true of a record, for a person.
func (o *object) story(id string) string {
	var b strings.Builder
	for _, s := range o.past[id] {
		fmt.Fprintf(&b, "    look %d at %s: stamp %s", s.look, s.at.Format("15:04:05.000"), s.stamp.Format("15:04:05"))
		for word, is := range map[string]bool{" deleted": s.deleted, " gone": s.gone, " outside": !s.in, " unseen": !s.seen, " slipped": s.slipped} {
			if is {
				b.WriteString(word)
			}
		}
		fmt.Fprintf(&b, " text %.8s %.300s\n", s.text, s.print)
	}
	return b.String()
}
