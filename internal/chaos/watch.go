package chaos

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/flow"
)

// What must hold at any moment, whatever is broken: every unit is of a text that was not charged before, no list has a
// comment twice, "complete up to" is never more than is true, nobody reads another project. An answer that does not come
// is no answer, and is counted as one.

// watches run side by side.
var watches = []struct {
	every time.Duration
	look  func(*Run, context.Context) error
}{
	{2 * time.Second, (*Run).newUnits},
	{5 * time.Second, (*Run).claims},
	{4 * time.Second, (*Run).lists},
	{3 * time.Second, (*Run).strangers},
	{3 * time.Second, (*Run).grants},
}

// watch looks until ctx ends.
func (r *Run) watch(ctx context.Context, i int) {
	for wait(ctx, watches[i].every) {
		err := watches[i].look(r, ctx)
		r.mu.Lock()
		if r.looks++; err != nil {
			r.unanswered++
		}
		r.mu.Unlock()
	}
}

// newUnits follows the ledger. Transactions that were open for longer than it looks back are found by the reckoning.
func (r *Run) newUnits(ctx context.Context) error {
	return r.units(ctx, "and l.at > now() - interval '3 minutes'")
}

// units holds rows of the ledger against the model.
func (r *Run) units(ctx context.Context, which string) error {
	r.billing.Lock()
	defer r.billing.Unlock()
	for _, t := range r.tenants {
		rows, err := r.sql(ctx, fmt.Sprintf(`select comment_id, revision, reason, encode(after_hash, 'hex') from ledger l where source_id = '%s' %s order by at, comment_id, revision`, t.sourceID, which))
		if err != nil {
			return err
		}
		units := make([]unit, len(rows))
		for i, row := range rows {
			revision, err := strconv.Atoi(row[1])
			if err != nil {
				return err
			}
			units[i] = unit{row[0], revision, row[2], row[3]}
		}
		r.model.charge(t, units, r.charged)
	}
	return nil
}

// integration is what the API says of one.
type integration struct {
	Integration struct {
		State, Reason string
		Units         int64 `json:"ai_units"`
		Comments      int64 `json:"num_comments"`
	}
	Objects []struct {
		Object     string
		State      string
		CompleteTo *time.Time `json:"complete_to"`
		Missing    int64
	}
}

// claims holds "complete up to" against what is there: records whose newest change was made before that moment, and
// could be seen before anybody was asked, are as they were left.
func (r *Run) claims(ctx context.Context) error {
	for _, t := range r.tenants {
		asked := time.Now()
		var says integration
		if err := r.read(ctx, r.stack.public, "/api/v1/integrations/"+t.name(), r.token, &says); err != nil {
			return err
		}
		rows, err := r.sql(ctx, fmt.Sprintf(`select id, encode(text_hash, 'hex'), deleted_at is not null from comments where source_id = '%s'`, t.sourceID))
		if err != nil {
			return err
		}
		have := map[string][]string{}
		for _, row := range rows {
			have[row[0]] = row[1:]
		}
		for _, o := range says.Objects {
			if o.CompleteTo == nil {
				continue
			}
			for id, rec := range r.model.quiet(t, asked, *o.CompleteTo) {
				if rec.object != o.Object {
					continue
				}
				r.count(func() { r.claimed++ })
				c, there := have[id]
				want := rec.texts[len(rec.texts)-1].hash
				switch {
				case rec.deleted && there && c[1] == "f":
					r.off("complete up to", "%s: %s says that it is complete up to %s, and a record that was deleted before is there: %s", t.name(), o.Object, o.CompleteTo.Format(time.TimeOnly), r.model.story(t, id))
				case !rec.deleted && (!there || c[1] == "t" || c[0] != want):
					r.off("complete up to", "%s: %s says that it is complete up to %s, and is not (there %v): %s", t.name(), o.Object, o.CompleteTo.Format(time.TimeOnly), c, r.model.story(t, id))
				}
			}
		}
	}
	return nil
}

// lists reads the newest pages as people do: no comment is in them twice.
func (r *Run) lists(ctx context.Context) error {
	for _, t := range r.tenants {
		seen, after := map[string]bool{}, ""
		for range 3 {
			p, err := r.page(ctx, r.stack.public, t, r.token, "&direction=descending"+after)
			if err != nil {
				return err
			}
			for _, c := range p.Comments {
				if seen[c.ID] {
					r.off("twice", "%s lists comment %s twice", t.path(), c.ID)
				}
				seen[c.ID] = true
			}
			if after = p.next(); after == "" {
				break
			}
		}
	}
	return nil
}

// strangers try to read the other project.
func (r *Run) strangers(ctx context.Context) error {
	for i, t := range r.tenants {
		other := r.tenants[(i+1)%len(r.tenants)]
		for _, path := range []string{"/api/_private/sources/" + strings.ReplaceAll(other.path(), "/", "%2F") + "/comments?limit=5", "/api/v1/integrations/" + other.name()} {
			status, raw, err := fetch(ctx, http.MethodGet, r.stack.public+path, t.reader, "")
			if err != nil {
				return err
			}
			r.canary.scan("an answer of the API", raw)
			if status == http.StatusOK {
				r.off("isolation", "who may read %s alone has read %s", t.project, path)
			}
		}
	}
	return nil
}

// grants does what an administrator must do: where a token was lost on its way, which the product can only say, it
// connects the integration again.
func (r *Run) grants(ctx context.Context) error {
	r.granting.Lock()
	defer r.granting.Unlock()
	var list struct {
		Integrations []struct{ Project, Name, State, Reason string }
	}
	base, err := r.straight(ctx)
	if err != nil {
		return err
	}
	if err := r.read(ctx, base, "/api/v1/integrations", r.token, &list); err != nil {
		return err
	}
	for _, i := range list.Integrations {
		at := slices.IndexFunc(r.tenants, func(t *tenant) bool { return t.name() == i.Project+"/"+i.Name })
		if at < 0 {
			continue
		}
		t := r.tenants[at]
		if i.State != flow.StateAwaitingAuthorization {
			delete(r.waiting, t)
			continue
		}
		if since, was := r.waiting[t]; !was || time.Since(since) < noticed {
			if !was {
				r.waiting[t] = time.Now()
			}
			continue
		}
		delete(r.waiting, t)
		r.say("%s waits for its authorization (%s): it is connected again", t.name(), i.Reason)
		if err := r.connect(ctx, t); err != nil {
			r.say("connecting %s: %v", t.name(), err)
			return err
		}
		r.count(func() { r.reconnects++ })
	}
	return nil
}

// noticed is after how long somebody sees that an integration waits for its authorization.
const noticed = 3 * time.Second
