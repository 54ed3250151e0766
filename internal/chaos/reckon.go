package chaos

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/expect"
	"salesforcesync/internal/simforce"
)

// promise is how long after everything is back the store may take to equal Salesforce, and patience how long it is waited
// for all the same, so that what is late can be told from what is lost.
const (
	promise  = 60 * time.Second
	patience = 4 * time.Minute
)

// difference is one thing in which the store is not what it must be.
type difference struct {
	kind    string // missing, extra, wrong, units
	comment string // "" for none
	late    bool   // a transaction committed it late, and it may still be found
	text    string
}

// findings are what a comparison found.
type findings struct {
	list                        []difference
	comments, unitCount, spared int
}

// due are those that must not be any more.
func (f findings) due() (list []difference) {
	for _, d := range f.list {
		if !d.late {
			list = append(list, d)
		}
	}
	return list
}

func (f findings) of(kind string) (texts []string) {
	for _, d := range f.list {
		if d.kind == kind {
			texts = append(texts, d.text)
		}
	}
	return texts
}

// recovery is how long it took until the store was equal, after everything was back.
type recovery struct {
	took  time.Duration // but for what transactions had committed late
	all   time.Duration // with that
	last  string        // a difference that was among the last
	after []event       // the faults before it
}

// reckoning waits until the store equals Salesforce, and says how long that took. Nothing is written meanwhile and nothing is
// broken.
func (r *Run) reckoning(ctx context.Context) (findings, error) {
	back := time.Now()
	if err := r.stack.commitAll(ctx); err != nil {
		return findings{}, err
	}
	rec := recovery{took: -1, after: r.deck.lately(back.Add(-20 * time.Second))}
	var found findings
	for {
		now, err := r.compare(ctx)
		took := time.Since(back)
		if err == nil {
			found = now
			if due := found.due(); len(due) > 0 {
				rec.took, rec.last = -1, due[0].text
			} else if rec.took < 0 {
				rec.took = took
			}
			if len(found.list) == 0 {
				rec.all = took
				break
			}
		}
		if took > patience || ctx.Err() != nil {
			if err != nil {
				return found, fmt.Errorf("compare the store with Salesforce: %w", err)
			}
			rec.took, rec.all = took, took
			break
		}
		if err := r.grants(ctx); err != nil {
			r.say("looking for lost grants: %v", err)
		}
		wait(ctx, 500*time.Millisecond)
	}
	r.recoveries = append(r.recoveries, rec)
	r.say("reckoning: %d comments, %d units; equal %.1f s after everything was back, %.1f s with what was committed late", found.comments, found.unitCount, rec.took.Seconds(), rec.all.Seconds())
	told := map[string]int{}
	for _, d := range found.list {
		if told[d.kind]++; told[d.kind] > 5 {
			d.text = ""
		}
		r.off(d.kind, "%s", d.text)
	}
	if rec.took > promise && len(found.list) == 0 {
		r.off("late", "the store equalled Salesforce %s after everything was back, promised are %s; among the last was %s; before: %v", rec.took.Round(time.Second), promise, rec.last, rec.after)
	}
	return found, nil
}

// completed waits until every object says that it is complete up to after the newest write.
func (r *Run) completed(ctx context.Context) error {
	began := time.Now()
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		behind, err := r.behind(limit)
		if err == nil && len(behind) == 0 {
			r.completeAfter = time.Since(began)
			r.say("every object says that it is complete up to the newest write, %.0f s later", r.completeAfter.Seconds())
			return nil
		}
		if !wait(limit, time.Second) {
			r.off("complete up to", "after %s it is not said that everything is complete up to the newest write: %v %v", patience, behind, err)
			return nil
		}
	}
}

// behind lists the objects that do not say that they are complete.
func (r *Run) behind(ctx context.Context) (list []string, err error) {
	base, err := r.straight(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range r.tenants {
		var says integration
		if err := r.read(ctx, base, "/api/v1/integrations/"+t.name(), r.token, &says); err != nil {
			return nil, err
		}
		for _, o := range says.Objects {
			if o.CompleteTo == nil || o.CompleteTo.Before(r.load.since.Truncate(time.Second)) || o.Missing != 0 || o.State != "ok" {
				list = append(list, fmt.Sprintf("%s %s: %s, complete to %v, missing %d", t.name(), o.Object, o.State, o.CompleteTo, o.Missing))
			}
		}
	}
	return list, nil
}

// compare holds the store against Salesforce: record by record as the API gives them, unit by unit as the ledger has them.
func (r *Run) compare(ctx context.Context) (findings, error) {
	var f findings
	var t *tenant
	add := func(kind, comment, format string, args ...any) {
		f.list = append(f.list, difference{kind, comment, r.model.isLate(t, comment), t.name() + ": " + fmt.Sprintf(format, args...)})
	}
	base, err := r.straight(ctx)
	if err != nil {
		return f, err
	}
	if err := r.units(ctx, ""); err != nil {
		return f, err
	}
	for _, t = range r.tenants {
		want, err := r.expected(ctx, t)
		if err != nil {
			return f, err
		}
		have, err := r.comments(ctx, base, t)
		if err != nil {
			return f, err
		}
		for id, text := range want {
			switch c, there := have[id]; {
			case !there:
				add("missing", id, "comment %s is missing: %s", id, r.model.story(t, id))
			case c != text:
				add("wrong", id, "comment %s is\n  %s\nand should be\n  %s\n%s", id, c, text, r.model.story(t, id))
			}
		}
		for id := range have {
			if _, there := want[id]; !there {
				add("extra", id, "comment %s should not be there: %s", id, r.model.story(t, id))
			}
		}
		f.comments += len(have)
		b := r.model.bill(t)
		for _, d := range b.unpaid {
			d.late = r.model.isLate(t, d.comment)
			f.list = append(f.list, d)
		}
		f.unitCount += b.units
		f.spared += b.spared
		var says integration
		if err := r.read(ctx, base, "/api/v1/integrations/"+t.name(), r.token, &says); err != nil {
			return f, err
		}
		if says.Integration.Comments != int64(len(have)) || says.Integration.Units != int64(b.units) {
			add("units", "", "it is said that it has %d comments and %d units; there are %d and %d",
				says.Integration.Comments, says.Integration.Units, len(have), b.units)
		}
	}
	r.model.mu.Lock()
	defer r.model.mu.Unlock()
	for _, text := range r.model.wrong {
		f.list = append(f.list, difference{kind: "units", text: text})
	}
	return f, nil
}

// expected is what a source must hold, worked out from the simulator's rows.
func (r *Run) expected(ctx context.Context, t *tenant) (map[string]string, error) {
	var failed error
	records := func(object string) []simforce.Row {
		list, err := r.stack.rows(ctx, t.org, object)
		if err != nil {
			failed = err
		}
		return list
	}
	parents := expect.ParentsOf(r.stack.instance, records)
	out := map[string]string{}
	for _, object := range t.objects {
		for _, row := range records(object) {
			if row["IsDeleted"] == true {
				continue
			}
			if c := become(object, row, parents); c != nil {
				out[c.ID] = expect.Print(c)
			}
		}
	}
	return out, failed
}

// page is one of a list of comments.
type page struct {
	Comments     []comment.Comment
	Continuation string
}

// next is what asks for the page behind it; "" for the last one.
func (p page) next() string {
	if p.Continuation == "" {
		return ""
	}
	return "&after=" + url.QueryEscape(p.Continuation)
}

func (r *Run) page(ctx context.Context, base string, t *tenant, token, more string) (page, error) {
	var p page
	err := r.read(ctx, base, "/api/_private/sources/"+strings.ReplaceAll(t.path(), "/", "%2F")+"/comments?limit=256"+more, token, &p)
	return p, err
}

// comments reads a whole source.
func (r *Run) comments(ctx context.Context, base string, t *tenant) (map[string]string, error) {
	all, after := map[string]string{}, ""
	for {
		p, err := r.page(ctx, base, t, t.reader, after)
		if err != nil {
			return nil, err
		}
		for _, c := range p.Comments {
			if _, twice := all[c.ID]; twice {
				r.off("twice", "%s lists comment %s twice", t.path(), c.ID)
			}
			if c.TextFormat == comment.Plain {
				c.TextFormat = "" // what it is when nothing is said
			}
			if len(c.Attachments) == 0 {
				c.Attachments = nil
			}
			all[c.ID] = expect.Print(&c)
		}
		if after = p.next(); after == "" {
			return all, nil
		}
	}
}
