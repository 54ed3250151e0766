package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"salesforcesync/internal/simforce"
)

const (
	// home is where the simulated org lives. Nobody listens there: it is called without a
	// network.
	home   = "http://simforce.example:8090"
	object = "EmailMessage"
	// daily is the org's quota: large, because all rules spend from it.
	daily = 100_000_000
)

// change is one version of one record: what a rule must get to see, or a later one.
type change struct {
	id            string
	stamp, commit time.Time
	load          bool // by a mass load
}

// org is the simulated org, its clock, and every change that was made in it, in the order
// of their stamps.
type org struct {
	sim     *simforce.Server
	clock   atomic.Int64
	random  *rand.Rand
	changes []change
	history map[string][]int     // changes of a record, by number
	free    map[string]time.Time // when the transaction that wrote the record last is over
	mails   []string
	cases   []string
	loading bool // what is written is a mass load
	words   int
}

func newOrg(w workload, begin time.Time) (*org, error) {
	o := &org{words: w.words, random: rand.New(rand.NewPCG(w.seed, 0xc0de)), history: map[string][]int{}, free: map[string]time.Time{}} //nolint:gosec // a workload that can be repeated
	o.clock.Store(begin.UnixNano())
	var err error
	if o.sim, err = simforce.New(simforce.Options{BaseURL: home, Seed: w.seed, Clock: o.now, DailyRequests: daily}); err != nil {
		return nil, err
	}
	for i := range 200 {
		row, err := o.sim.CreateRecord("Case", simforce.Write{Fields: simforce.Row{"Subject": fmt.Sprintf("Case %d", i), "Origin": "Email"}})
		if err != nil {
			return nil, err
		}
		o.cases = append(o.cases, row["Id"].(string))
	}
	return o, nil
}

func (o *org) now() time.Time { return time.Unix(0, o.clock.Load()).UTC() }

func (o *org) set(t time.Time) { o.clock.Store(t.UnixNano()) }

// write makes one transaction of n records, new ones or edits of these ids, which commits
// after a delay; 0 is at once.
func (o *org) write(n int, ids []string, delay time.Duration) error {
	w := simforce.Write{}
	if delay > 0 {
		tx, err := o.sim.Begin("")
		if err != nil {
			return err
		}
		w.Tx = tx.ID()
		defer tx.CommitAfter(delay) //nolint:errcheck // an unknown transaction would have failed the writes
	}
	for i := range n {
		number := len(o.changes)
		subject := fmt.Sprintf("Your order, please reply [%d]", number)
		var row simforce.Row
		var err error
		if ids == nil {
			w.Fields = o.mail(subject)
			row, err = o.sim.CreateRecord(object, w)
		} else {
			w.Fields = simforce.Row{"Subject": subject, "Status": strconv.Itoa(1 + o.random.IntN(4))}
			row, err = o.sim.UpdateRecord(object, ids[i], w)
		}
		if err != nil {
			return err
		}
		id := row["Id"].(string)
		if ids == nil {
			o.mails = append(o.mails, id)
		}
		o.changes = append(o.changes, change{id: id, stamp: row["SystemModstamp"].(time.Time), commit: o.now().Add(delay), load: o.loading})
		o.history[id] = append(o.history[id], number)
		o.free[id] = o.now().Add(delay)
	}
	return nil
}

var words = strings.Fields(`the parcel has not arrived and the tracking page shows nothing since Monday could you please look where
	it is we need the parts for a machine that stands still thank you for your help with kind regards order invoice number delivery`)

func (o *org) mail(subject string) simforce.Row {
	var text []string
	for range o.words/2 + o.random.IntN(o.words) {
		text = append(text, words[o.random.IntN(len(words))])
	}
	body := strings.Join(text, " ")
	return simforce.Row{
		"Subject": subject, "TextBody": body, "HtmlBody": "<p>" + body + "</p>", "FromName": "Ann Example", "FromAddress": "ann@example.com",
		"ToAddress": "support@acme.example", "Incoming": true, "Status": "0", "MessageDate": o.now(), "ParentId": o.cases[o.random.IntN(len(o.cases))],
	}
}

// pick gives up to n different mails, of the latest ones, that no open transaction has
// written, and that have no change in this very second: a transaction that changes a
// record in the second of its stamp, and commits late, leaves nothing that a rule of
// stamps could see, and is not what is compared here.
func (o *org) pick(n, latest int) []string {
	from := o.mails[max(0, len(o.mails)-latest):]
	second := o.now().Truncate(time.Second)
	var ids []string
	for _, i := range o.random.Perm(len(from)) {
		if len(ids) == n {
			break
		}
		history := o.history[from[i]]
		if !o.free[from[i]].After(o.now()) && o.changes[history[len(history)-1]].stamp.Before(second) {
			ids = append(ids, from[i])
		}
	}
	return ids
}

// shown is the change of the record that everybody sees now; -1: there is no record yet.
func (o *org) shown(id string) int {
	shown := -1
	for _, n := range o.history[id] {
		if !o.changes[n].commit.After(o.now()) {
			shown = n
		}
	}
	return shown
}

// numberOf reads which change a subject is from.
func numberOf(subject string) (int, error) {
	_, rest, _ := strings.Cut(subject, "[")
	n, err := strconv.Atoi(strings.TrimSuffix(rest, "]"))
	if err != nil {
		return 0, fmt.Errorf("the subject %q names no change", subject)
	}
	return n, nil
}
