package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"salesforcesync/internal/simforce"
)

// rule is a cursor rule: which rows the next query asks for.
type rule struct {
	name string
	// op compares SystemModstamp with the cursor, the stamp of the newest row read.
	op string
	// known leaves out rows of the cursor's second by the Ids that were read with it.
	known bool
	// back is how far behind the cursor each query begins.
	back time.Duration
	// hold is how far behind now each query ends; the cursor is then that end.
	hold time.Duration
	// limit is how many rows a query asks for, and the next goes on behind the last; 0
	// asks for all and follows nextRecordsUrl.
	limit int
}

// rules are those of other tools. Each is read as its users run it, but for the interval,
// which is the same for all.
var rules = []rule{
	{name: "`>` the last stamp", op: ">"},
	{name: "`>` the last stamp, `LIMIT 2000`", op: ">", limit: 2000},
	{name: "`>=` the last stamp, known Ids left out", op: ">=", known: true},
	{name: "`>=` the last stamp, known Ids left out, `LIMIT 2000`", op: ">=", known: true, limit: 2000},
	{name: "10 s look-back", op: ">=", back: 10 * time.Second},
	{name: "300 s hold-back", op: ">", hold: 300 * time.Second},
	{name: "600 s look-back", op: ">=", back: 600 * time.Second},
}

// patience is how long a rule may get the same full page, with nothing new in it, before
// it is not asked any more: it would get it for ever.
const patience = 5 * time.Minute

// tool reads by a rule.
type tool struct {
	rule
	*account
	client  *http.Client
	token   string
	cursor  time.Time
	at      map[string]bool // Ids read in the cursor's second, if known
	stalled time.Time       // since when every query gives the same page; zero: it does not
}

func newTool(o *org, r rule, begin time.Time) (*tool, error) {
	t := &tool{rule: r, account: newAccount(o), cursor: begin.Add(-time.Second), at: map[string]bool{}}
	t.client = &http.Client{Transport: t.account}
	var err error
	t.token, err = o.sim.Login(simforce.SyncUser)
	return t, err
}

// poll is one look at Salesforce.
func (t *tool) poll(ctx context.Context) error {
	if !t.idle.IsZero() {
		return nil
	}
	for {
		more, err := t.ask(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// ask runs one query and reports whether another one must follow at once.
func (t *tool) ask(ctx context.Context) (more bool, err error) {
	now := t.org.now()
	where := fmt.Sprintf("SystemModstamp %s %s", t.op, literal(t.cursor.Add(-t.back)))
	end := now.Add(-t.hold).Truncate(time.Second)
	if t.hold > 0 {
		if !end.After(t.cursor) {
			return false, nil
		}
		where += " AND SystemModstamp <= " + literal(end)
	}
	q := "SELECT Id, SystemModstamp, Subject, FromName, FromAddress, ToAddress, CcAddress, BccAddress, TextBody, HtmlBody, MessageDate, Incoming, " +
		"Status, ParentId, ThreadIdentifier FROM " + object + " WHERE " + where + " ORDER BY SystemModstamp"
	if t.limit > 0 {
		q += fmt.Sprintf(" LIMIT %d", t.limit)
	}
	rows, fresh, before := 0, 0, t.cursor
	for path := "/services/data/v62.0/query?q=" + url.QueryEscape(q); path != ""; {
		page, err := t.page(ctx, path)
		if err != nil {
			return false, err
		}
		for _, r := range page.Records {
			is, err := t.take(r, now)
			if err != nil {
				return false, err
			}
			rows++
			if is {
				fresh++
			}
		}
		path = page.Next
	}
	if t.hold > 0 {
		t.cursor = end
	}
	switch {
	case t.limit == 0 || rows < t.limit:
		t.stalled = time.Time{}
		return false, nil
	case fresh > 0 || t.cursor.After(before):
		return true, nil
	case t.stalled.IsZero():
		t.stalled = now
	case now.Sub(t.stalled) >= patience:
		t.idle = t.stalled
	}
	return false, nil
}

// take books one row and moves the cursor. It reports whether the rule takes it for news.
func (t *tool) take(r row, now time.Time) (fresh bool, err error) {
	number, err := numberOf(r.Subject)
	if err != nil {
		return false, err
	}
	stamp, err := time.Parse("2006-01-02T15:04:05.000-0700", r.Stamp)
	if err != nil {
		return false, err
	}
	t.got(number)
	switch {
	case stamp.After(t.cursor):
		if t.hold == 0 { // else the end of the window is the cursor
			t.cursor = stamp
			clear(t.at)
		}
	case t.known && stamp.Equal(t.cursor) && t.at[r.ID]:
		return false, nil
	}
	t.at[r.ID] = t.known
	t.arrived(number, now)
	return true, nil
}

type row struct {
	ID      string `json:"Id"`
	Stamp   string `json:"SystemModstamp"`
	Subject string
}

type page struct {
	Next    string `json:"nextRecordsUrl"`
	Records []row  `json:"records"`
}

func (t *tool) page(ctx context.Context, path string) (p page, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, home+path, nil)
	if err != nil {
		return p, err
	}
	req.Header.Set("Authorization", "Bearer "+t.token)
	resp, err := t.client.Do(req)
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return p, fmt.Errorf("query %s: %s", object, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
		return p, fmt.Errorf("query %s: %w", object, err)
	}
	return p, nil
}

func literal(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
