package simforce

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"
)

// transaction is a set of writes that nobody else sees before it commits. Their
// stamps are those of the time they were written.
type transaction struct {
	id    string
	org   *org
	began time.Time
	due   time.Time // commits by itself then; zero waits for Commit
	// rows are the new versions, nil for a dropped row, in the order written.
	rows   map[string]*record
	order  []string
	graves map[string]int64
	// targets are the ids its rows point to, or have pointed to.
	targets map[string]bool
}

// touches reports whether the transaction has a version of a row.
func (t *transaction) touches(id string) bool {
	if t == nil {
		return false
	}
	_, found := t.rows[id]
	return found
}

func (t *transaction) set(id string, r *record) {
	if _, found := t.rows[id]; !found {
		t.order = append(t.order, id)
	}
	t.rows[id] = r
	t.org.locks[id] = t
	if r == nil {
		return
	}
	for i, f := range r.obj.Fields {
		if target, ok := r.get(i).(string); ok && indexed(f) {
			t.targets[target] = true
		}
	}
}

// put stores a new version of a row: in the tables, or in the transaction that
// is writing.
func (o *org) put(r *record) {
	if o.into != nil {
		o.into.set(r.id(), r)
		if !r.deleted() {
			delete(o.into.graves, r.id())
		}
		return
	}
	t := o.table(r.obj.Name)
	t.put(r)
	if !r.deleted() {
		t.fill(r.id())
	}
	o.journalPut(r)
}

// drop removes a row for good.
func (o *org) drop(r *record) {
	if o.into != nil {
		o.into.set(r.id(), nil)
		return
	}
	t := o.table(r.obj.Name)
	if r = t.row(r.id()); r != nil {
		t.drop(r)
		o.journalDrop(r)
	}
}

// dig enters a deletion into the delete log.
func (o *org) dig(r *record, at int64) {
	if o.into != nil {
		o.into.graves[r.id()] = at
		return
	}
	o.table(r.obj.Name).dig(r.id(), grave{at, r})
	o.wake(time.Unix(at, 0).Add(binLife))
	o.journal(stateLine{Org: o.id, Grave: &graveLine{r.id(), at}})
}

// current is a row as a write sees it: the version of its own transaction before
// that of the tables.
func (o *org) current(id string) *record {
	if o.into.touches(id) {
		return o.into.rows[id]
	}
	return o.find(id)
}

func errLocked() *apiError {
	return refuse(http.StatusBadRequest, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records")
}

// unlocked refuses a write to a row another open transaction has written.
func (o *org) unlocked(id string) *apiError {
	if holder := o.locks[id]; holder != nil && holder != o.into {
		return errLocked()
	}
	return nil
}

// childless refuses to take away a row to which another open transaction has
// attached one.
func (o *org) childless(id string) *apiError {
	for _, t := range o.open {
		if t != o.into && t.targets[id] {
			return errLocked()
		}
	}
	return nil
}

// publish makes the writes of a transaction visible.
func (o *org) publish(t *transaction) {
	o.close(t)
	for _, id := range t.order {
		r := t.rows[id]
		home := o.byPrefix[id[:3]]
		last := home.row(id)
		if r != nil {
			if r.obj != home.obj { // the schema grew in between; places stay
				n := &record{obj: home.obj, v: make([]any, len(home.obj.Fields)), deletedWith: r.deletedWith}
				copy(n.v, r.v)
				r = n
			}
			o.put(r)
			last = r
		} else if last != nil {
			o.drop(last)
		}
		if at, dug := t.graves[id]; dug && last != nil {
			o.dig(last, at)
		}
	}
}

// close forgets a transaction and what it locked.
func (o *org) close(t *transaction) {
	o.open = slices.DeleteFunc(o.open, func(x *transaction) bool { return x == t })
	for _, id := range t.order {
		delete(o.locks, id)
	}
}

// wake makes sure catchUp runs at the moment given.
func (o *org) wake(at time.Time) {
	if n := at.UnixNano(); n < o.due.Load() {
		o.due.Store(n)
	}
}

// catchUp does what the passing of time does: commits whose delay is over, rows
// that leave the recycle bin. The caller holds the data lock.
func (o *org) catchUp(now time.Time) {
	if o.due.Load() > now.UnixNano() {
		return
	}
	for o.step(now) {
	}
	o.sweep(now)
	o.jobs = slices.DeleteFunc(o.jobs, func(j *bulkJob) bool { return !j.expires().After(now) })
	o.due.Store(math.MaxInt64)
	for _, j := range o.jobs {
		if o.wake(j.expires()); !j.ended() {
			o.wake(j.due)
		}
	}
	for _, t := range o.open {
		if !t.due.IsZero() {
			o.wake(t.due)
		}
	}
	for _, t := range o.tables {
		if t.log.n > 0 {
			o.wake(time.Unix(t.log.at(0).stamp, 0).Add(binLife))
		}
	}
}

// step does the earliest thing that is due: a commit, or the next state of a bulk
// job, which so finds the rows of its moment. False means nothing is due.
func (o *org) step(now time.Time) bool {
	var t *transaction
	for _, x := range o.open {
		if !x.due.IsZero() && !x.due.After(now) && (t == nil || x.due.Before(t.due)) {
			t = x
		}
	}
	var j *bulkJob
	for _, x := range o.jobs {
		if !x.ended() && !x.due.After(now) && (j == nil || x.due.Before(j.due)) {
			j = x
		}
	}
	switch {
	case t != nil && (j == nil || !t.due.After(j.due)):
		o.publish(t)
	case j != nil:
		o.sweep(j.due)
		j.advance(o)
	default:
		return false
	}
	return true
}

// settle lets the time that has passed have its effects; every request and
// every method that looks at data begins with it.
func (s *Server) settle() {
	now := s.now()
	for _, o := range s.orgs {
		if o.due.Load() > now.UnixNano() {
			continue
		}
		s.mu.Lock()
		o.catchUp(now)
		s.mu.Unlock()
	}
}

// mutate runs f on an org under the data lock; what f writes belongs to the open
// transaction tx unless that is "".
func (s *Server) mutate(orgName, tx string, f func(*org) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.orgOf(orgName)
	if err != nil {
		return err
	}
	for _, x := range s.orgs {
		x.catchUp(s.now())
	}
	if tx != "" {
		t, err := s.opened(tx)
		if err != nil {
			return err
		}
		if orgName != "" && t.org != o {
			return fmt.Errorf("transaction %s belongs to org %s, not %s", tx, t.org.name, o.name)
		}
		o = t.org
		o.into = t
		defer func() { o.into = nil }()
	}
	return f(o)
}

// refused makes an error interface of a refusal, nil of none.
func refused(e *apiError) error {
	if e == nil {
		return nil
	}
	return e
}

func (s *Server) opened(tx string) (*transaction, error) {
	for _, o := range s.orgs {
		for _, t := range o.open {
			if t.id == tx {
				return t, nil
			}
		}
	}
	return nil, fmt.Errorf("no open transaction %q: it has committed, was rolled back or never began", tx)
}

// Tx is an open transaction of one org. Its writes are stamped when they are
// made and become visible when it commits, behind the watermark of whoever has
// read on in between. While it is open, latestDateCovered of getUpdated and
// getDeleted stands at its beginning, and rows it has written refuse other
// writers with UNABLE_TO_LOCK_ROW. A restart rolls it back.
type Tx struct {
	s  *Server
	id string
}

// Begin opens a transaction.
func (s *Server) Begin(orgName string) (*Tx, error) {
	tx := &Tx{s, randomHex(8)}
	err := s.mutate(orgName, "", func(o *org) error {
		o.open = append(o.open, &transaction{
			id: tx.id, org: o, began: s.now(), rows: map[string]*record{}, graves: map[string]int64{}, targets: map[string]bool{},
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return tx, nil
}

// ID names the transaction for Write.Tx and the control endpoint.
func (t *Tx) ID() string { return t.id }

// CreateRecord is Server.CreateRecord inside the transaction.
func (t *Tx) CreateRecord(object string, w Write) (Row, error) {
	w.Tx = t.id
	return t.s.CreateRecord(object, w)
}

// CreateRecords is Server.CreateRecords inside the transaction.
func (t *Tx) CreateRecords(object string, n int, w Write) ([]string, error) {
	w.Tx = t.id
	return t.s.CreateRecords(object, n, w)
}

// UpdateRecord is Server.UpdateRecord inside the transaction.
func (t *Tx) UpdateRecord(object, id string, w Write) (Row, error) {
	w.Tx = t.id
	return t.s.UpdateRecord(object, id, w)
}

// DeleteRecord is Server.DeleteRecord inside the transaction.
func (t *Tx) DeleteRecord(id string, hard bool) error { return t.s.deleteRow("", t.id, id, hard) }

// UndeleteRecord is Server.UndeleteRecord inside the transaction.
func (t *Tx) UndeleteRecord(id string) error { return t.s.undeleteRow("", t.id, id) }

// MergeRecords is Server.MergeRecords inside the transaction.
func (t *Tx) MergeRecords(winner string, losers ...string) error {
	return t.s.mergeRows("", t.id, winner, losers)
}

// CommitAfter lets the transaction commit by itself when the clock has moved on
// by d from now.
func (t *Tx) CommitAfter(d time.Duration) error {
	return t.s.mutate("", t.id, func(o *org) error {
		o.into.due = t.s.now().Add(d)
		o.wake(o.into.due)
		return nil
	})
}

// Commit makes the writes visible, with the stamps they have.
func (t *Tx) Commit() error {
	return t.s.mutate("", t.id, func(o *org) error {
		tx := o.into
		o.into = nil
		o.publish(tx)
		return nil
	})
}

// Rollback forgets the writes.
func (t *Tx) Rollback() error {
	return t.s.mutate("", t.id, func(o *org) error {
		o.close(o.into)
		return nil
	})
}

// TxInfo describes an open transaction.
type TxInfo struct {
	ID    string    `json:"id"`
	Org   string    `json:"org"`
	Began time.Time `json:"began"`
	Due   time.Time `json:"due,omitzero"` // commits by itself then
	Rows  int       `json:"rows"`         // written so far
}

// OpenTransactions lists the open transactions, oldest first per org.
func (s *Server) OpenTransactions() []TxInfo {
	s.settle()
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := []TxInfo{}
	for _, o := range s.orgs {
		for _, t := range o.open {
			out = append(out, TxInfo{t.id, o.id, t.began, t.due, len(t.order)})
		}
	}
	return out
}

// oldest is the start of the oldest open transaction; zero when there is none.
func (o *org) oldest() time.Time {
	var at time.Time
	for _, t := range o.open {
		if at.IsZero() || t.began.Before(at) {
			at = t.began
		}
	}
	return at
}
