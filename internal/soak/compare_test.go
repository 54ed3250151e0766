package soak

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/config"
	"salesforcesync/internal/expect"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// stored is a comment as it is in the database, tombstones too.
type stored struct {
	ID         string
	TS         time.Time
	ThreadID   string `db:"thread_id"`
	Envelope   []byte
	Properties []byte
	Texts      []byte
	Revision   int
	TextHash   string `db:"text_hash"`
	Deleted    bool
	Erased     bool

	print string
}

// charge is a row of the ledger.
type charge struct {
	CommentID string `db:"comment_id"`
	Revision  int
	Reason    string
	Before    string
	After     string
	Kept      bool // its text is there
}

// comments reads every comment of the source.
func (r *run) comments() map[string]*stored {
	out := map[string]*stored{}
	for _, c := range rows[stored](r.ctx, r.d, `
		select c.id, c.ts, coalesce(c.thread_id, '') as thread_id, c.envelope, c.properties, coalesce(v.texts, 'null') as texts, c.revision,
		       encode(c.text_hash, 'hex') as text_hash, c.deleted_at is not null as deleted, c.erased
		from comments c left join revisions v on (v.source_id, v.comment_id, v.revision) = (c.source_id, c.id, c.revision)
		where c.source_id = $1`, r.source) {
		if !c.Erased {
			full := comment.Comment{ID: c.ID, Timestamp: c.TS, ThreadID: c.ThreadID}
			var envelope []comment.Message
			var texts []comment.Texts
			must(json.Unmarshal(c.Envelope, &envelope), "read an envelope")
			must(json.Unmarshal(c.Texts, &texts), "read texts")
			must(json.Unmarshal(c.Properties, &full.Properties), "read properties")
			var err error
			full.Messages, err = comment.Join(envelope, texts)
			must(err, "put texts into the envelope of "+c.ID)
			c.print = expect.Print(&full)
		}
		out[c.ID] = &c
	}
	return out
}

// compare requires that the store is what Salesforce is: record by record, unit by
// unit. All that is wrong is told at once.
func (r *run) compare() {
	have := r.comments()
	charges := map[string][]charge{}
	for _, c := range rows[charge](r.ctx, r.d, `
		select l.comment_id, l.revision, l.reason, coalesce(encode(l.before_hash, 'hex'), '') as before, encode(l.after_hash, 'hex') as after,
		       v.comment_id is not null as kept
		from ledger l left join revisions v on (v.source_id, v.comment_id, v.revision) = (l.source_id, l.comment_id, l.revision)
		where l.source_id = $1 order by l.comment_id, l.revision`, r.source) {
		charges[c.CommentID] = append(charges[c.CommentID], c)
	}
	var wrong []string
	tell := func(o *object, id, format string, args ...any) {
		if len(wrong) < 5 {
			wrong = append(wrong, fmt.Sprintf("%s %s: ", o.name, id)+fmt.Sprintf(format, args...)+"\n"+o.story(id))
		}
	}
	accounted := 0
	for _, o := range r.objects {
		r.sameView(o)
		records := r.recordsOf(o.name)
		for id := range records {
			if o.now[id] == nil {
				tell(o, id, "the store knows a record that never was")
			}
		}
		for id, s := range o.now {
			c := have[hexOf(id)]
			if c != nil {
				accounted++
			}
			if problem := r.judge(o, id, s, c, records[id]); problem != "" {
				tell(o, id, "%s", problem)
			}
			if problem := o.bill(id, c, charges[hexOf(id)]); problem != "" {
				tell(o, id, "%s", problem)
			}
			delete(charges, hexOf(id))
		}
	}
	if accounted != len(have) {
		wrong = append(wrong, fmt.Sprintf("%d comments are of no record", len(have)-accounted))
	}
	for id := range charges {
		wrong = append(wrong, "units were charged for "+id+", which is no record")
	}
	listed := r.listed()
	for id, c := range have {
		if listed[id] == (c.Deleted || c.Erased) {
			wrong = append(wrong, fmt.Sprintf("comment %s: deleted %v, erased %v, and listed %v", id, c.Deleted, c.Erased, listed[id]))
		}
	}
	for _, left := range rows[struct{ What string }](r.ctx, r.d, `
		select 'a recheck of ' || object || ' ' || record_id || ', ' || reason as what from rechecks where integration_id = $1
		union all select 'a cleaned row of ' || record_id from staged where stream_id in (select id from streams where integration_id = $1)`, r.id) {
		wrong = append(wrong, "left over: "+left.What)
	}
	for _, b := range rows[struct{ What string }](r.ctx, r.d, `
		select format('batch %s/%s/%s is %s', b.stream_id, b.epoch, b.seq, b.state) as what from batches b join streams s on s.id = b.stream_id
		where s.integration_id = $1 and (b.state = 'applied' and b.seq > s.seq or b.epoch <> s.epoch and b.state <> 'applied')`, r.id) {
		wrong = append(wrong, b.What)
	}
	check(len(wrong) == 0, "the store is not what Salesforce is:\n%s", strings.Join(wrong, "\n"))
}

// sameView requires that the script's own idea of what the integration user sees is the
// simulator's.
func (r *run) sameView(o *object) {
	seen, err := r.sim.Visible("", simforce.SyncUser, o.name, "Id")
	must(err, "list what the integration user sees of "+o.name)
	n := 0
	for _, row := range seen {
		s := o.now[text(row, "Id")]
		check(s != nil && !s.gone && s.seen, "%s %s is seen, and the script thinks that it is not", o.name, row["Id"])
		n++
	}
	for _, s := range o.now {
		if !s.gone && s.seen {
			n--
		}
	}
	check(n == 0, "the script thinks that %d more rows of %s are seen than are", -n, o.name)
}

// listed is what readers are given.
func (r *run) listed() map[string]bool {
	out := map[string]bool{}
	q := store.CommentQuery{SourceID: r.source, Limit: 500}
	for {
		page, more, err := r.d.db.Comments(r.ctx, q)
		must(err, "list the comments")
		for _, c := range page {
			check(!out[c.ID], "comment %s is listed twice", c.ID)
			out[c.ID] = true
			q.After = &store.CommentKey{Timestamp: c.Timestamp, ID: c.ID}
		}
		if !more {
			return out
		}
	}
}

// once reports whether the comment is one that the record ever was to be. If fields were
// hidden for a while, it is enough that the text is one that the record had.
func (r *run) once(o *object, id string, c *stored) bool {
	return slices.ContainsFunc(o.past[id], func(s *state) bool {
		return s.readable() && (s.print == c.print || r.fieldsHidden && s.text == c.TextHash)
	})
}

// judge says what is wrong with one record's comment; "" when nothing is.
func (r *run) judge(o *object, id string, s *state, c *stored, record recordState) string {
	known := record.State != ""
	switch {
	case s.readable() && s.print != "":
		switch {
		case c == nil:
			return fmt.Sprintf("missing: the record is %q", record.State)
		case c.Deleted || c.Erased:
			return "its comment is deleted, and the record is not"
		case c.print != s.print:
			return "its comment differs: it is\n    " + c.print + "\n    and should be\n    " + s.print
		case record.State != "live":
			return "the record is said to be " + record.State
		}
	case s.readable():
		if record.State != "set_aside" {
			return fmt.Sprintf("it cannot become a comment and is not set aside, but %q", record.State)
		}
		if c != nil && !c.Deleted && !r.once(o, id, c) {
			return "its comment is none it ever was to be: " + c.print
		}
	case s.gone || s.deleted:
		if !s.seen {
			return "" // nobody can tell what became of a record that is not visible
		}
		if c == nil || !known {
			return ""
		}
		if o.untold[id] && (record.State == store.RecordInvisible || record.State == store.RecordFiltered) {
			// Nothing tells a delete from a right that was taken away, or that somebody looks
			// for what is outside the condition.
			if !c.Deleted && !c.Erased && !r.once(o, id, c) {
				return "it keeps its comment, and the comment is none it ever was to be: " + c.print
			}
			return ""
		}
		switch o.policy {
		case config.DeletedKeep:
			if c.Deleted || c.Erased || !r.once(o, id, c) {
				return fmt.Sprintf("deleted comments are kept; this one is deleted %v, erased %v: %s", c.Deleted, c.Erased, c.print)
			}
			if record.State != "deleted" {
				return "the record was deleted and is said to be " + record.State
			}
		case config.DeletedErase:
			if !c.Erased || record.State != "erased" {
				return fmt.Sprintf("deleted comments are erased; this one is not: erased %v, record %s", c.Erased, record.State)
			}
		default:
			if !c.Deleted || record.State != "deleted" {
				return fmt.Sprintf("deleted comments become tombstones; this one is deleted %v, record %s", c.Deleted, record.State)
			}
		}
	default:
		if c == nil {
			return ""
		}
		if !c.Deleted && !c.Erased && !r.once(o, id, c) {
			return "it keeps its comment, and the comment is none it ever was to be: " + c.print
		}
		// Nobody looks for what is outside the condition: that it is out of sight too, or was
		// undeleted there, need not be known.
		may := []string{"filtered"}
		if !s.seen {
			may = []string{"invisible"}
			if !s.in {
				may = append(may, "filtered")
			}
		}
		if !s.in && (c.Deleted || c.Erased) {
			may = append(may, "deleted", "erased")
		}
		if can.filtered && !slices.Contains(may, record.State) {
			return fmt.Sprintf("the record is %v and is said to be %s", may, record.State)
		}
	}
	return ""
}

// bill says what is wrong with what a record has cost. Every unit is of a text that the
// record really had, in the order in which it had them, none twice in a row.
func (o *object) bill(id string, c *stored, charges []charge) string {
	if c == nil {
		if len(charges) > 0 {
			return fmt.Sprintf("there is no comment and it has cost %d units", len(charges))
		}
		return ""
	}
	if len(charges) != c.Revision {
		return fmt.Sprintf("revision %d has cost %d units", c.Revision, len(charges))
	}
	past := o.past[id]
	at, last := 0, ""
	for i, l := range charges {
		if l.Revision != i+1 {
			return fmt.Sprintf("unit %d is of revision %d", i+1, l.Revision)
		}
		erased := false
		began := at
		if l.Reason == "created" && i > 0 { // it was erased in between, so it was deleted
			for ; at < len(past) && !past[at].deleted && !past[at].gone; at++ {
			}
		}
		for ; at < len(past) && !(past[at].readable() && past[at].text == l.After); at++ {
			erased = erased || past[at].deleted || past[at].gone
		}
		if at == len(past) {
			return fmt.Sprintf("unit %d is of the text %.8s, which the record did not have after text %.8s (state %d)", i+1, l.After, last, began)
		}
		if fresh := l.Reason == "created"; fresh != (i == 0) && !(fresh && erased && o.policy == config.DeletedErase) {
			return fmt.Sprintf("unit %d is said to be %s", i+1, l.Reason)
		}
		if l.Reason == "text_changed" && (l.Before != last || l.After == last) {
			return fmt.Sprintf("unit %d goes from %.8s to %.8s, the one before went to %.8s", i+1, l.Before, l.After, last)
		}
		if !c.Erased && !l.Kept && o.policy != config.DeletedErase {
			return fmt.Sprintf("revision %d has no text", l.Revision)
		}
		last = l.After
	}
	if !c.Erased && last != c.TextHash {
		return fmt.Sprintf("the last unit is of %.8s, the comment has %.8s", last, c.TextHash)
	}
	return ""
}
