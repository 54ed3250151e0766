package soak

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// act is one kind of step.
type act struct {
	name   string
	weight int
	data   bool // a change of data, which may also happen while somebody reads
	do     func(r *run, g *rand.Rand)
}

// acts are set below: a step may itself pick others.
var acts []act

func init() {
	acts = []act{
		// Time and the workflow.
		{"tick", 30, false, func(r *run, g *rand.Rand) { r.ticks(g, 1+g.IntN(3)) }},
		{"wait", 10, false, func(r *run, g *rand.Rand) { r.pass(randomWait(g)) }},
		{"hours", 1, false, func(r *run, g *rand.Rand) {
			for range 6 {
				r.pass(time.Duration(5+g.IntN(16)) * time.Minute)
				r.ticks(g, 1)
			}
		}},

		// Changes that stamp what they change.
		{"mail", 8, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.newMail(g, r.direct()) }) }},
		{"note", 3, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.newNote(g, r.direct()) }) }},
		{"survey", 3, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.newSurvey(g, r.direct()) }) }},
		{"text", 8, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.newText(g, r.direct()) }) }},
		{"metadata", 6, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.newMetadata(g, r.direct()) }) }},
		{"case", 6, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.newCase(g, r.direct()) }) }},
		{"relation", 2, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.newRelation(g, r.direct()) }) }},
		{"account", 1, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.newName(g) }) }},
		{"bump", 3, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.bump(g) }) }},
		{"backdated", 2, true, func(r *run, g *rand.Rand) {
			r.write(func() error {
				d := r.direct()
				d.fields = simforce.Row{"CreatedDate": r.now().Add(-time.Duration(g.IntN(400)) * time.Hour), "LastModifiedDate": r.now().Add(-time.Duration(g.IntN(90)) * time.Hour)}
				return r.newMail(g, d)
			})
		}},
		// Several changes within one second, seen in between or not.
		{"twice", 5, false, func(r *run, g *rand.Rand) { r.twice(g) }},
		{"ties", 4, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.mass(g, 5+g.IntN(60)) }) }},
		{"flood", 0, false, func(r *run, g *rand.Rand) { r.write(func() error { return r.mass(g, floodRows) }) }},
		{"rename", 1, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.renamePicklist(g) }) }},

		// Late commits.
		{"transaction", 8, true, func(r *run, g *rand.Rand) { r.transaction(g) }},
		{"join", 3, true, func(r *run, g *rand.Rand) { r.join(g) }},

		// Deletes of each kind.
		{"delete", 5, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.remove(g, false) }) }},
		{"undelete", 3, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.undelete(g) }) }},
		{"delete-case", 1, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.removeCase(g) }) }},
		{"undelete-case", 1, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.undeleteCase(g) }) }},
		{"merge", 2, true, func(r *run, g *rand.Rand) { r.write(func() error { return r.merge(g) }) }},
		{"purge", 2, true, func(r *run, g *rand.Rand) {
			if can.tracelessDeletes {
				r.write(func() error { return r.purge(g) })
			}
		}},
		{"hard-delete", 2, true, func(r *run, g *rand.Rand) {
			if can.tracelessDeletes {
				r.write(func() error { return r.remove(g, true) })
			}
		}},
		{"empty-bin", 1, true, func(r *run, g *rand.Rand) {
			if can.tracelessDeletes {
				r.write(func() error { _, err := r.sim.EmptyRecycleBin("", ""); return err })
			}
		}},
		{"trim-log", 1, true, func(r *run, g *rand.Rand) {
			if can.tracelessDeletes {
				r.write(func() error { return r.trim(r.anyObject(g)) })
			}
		}},

		// Rights.
		{"share", 3, true, func(r *run, g *rand.Rand) {
			if can.sharing {
				r.write(func() error { return r.share(g) })
			}
		}},
		{"view-all", 1, true, func(r *run, g *rand.Rand) {
			if can.sharing {
				r.write(func() error { return r.toggleViewAll(g) })
			}
		}},
		{"field", 2, false, func(r *run, g *rand.Rand) {
			if can.fieldSecurity {
				r.field(g)
			}
		}},

		// Sessions, hosts, faults.
		{"end-sessions", 2, false, func(r *run, g *rand.Rand) { r.sim.KillSessions("") }},
		{"end-cursors", 1, false, func(r *run, g *rand.Rand) { r.sim.KillCursors() }},
		{"revoke", 1, false, func(r *run, g *rand.Rand) { r.sim.RevokeGrants("") }},
		{"rotation", 2, false, func(r *run, g *rand.Rand) { r.rotation(g) }},
		{"move", 1, false, func(r *run, g *rand.Rand) { r.moveInstance(g) }},
		{"pages", 1, false, func(r *run, g *rand.Rand) {
			n := []int{0, 2, 5, 20}[g.IntN(4)]
			must(r.sim.SetKnobs(func(k *simforce.Knobs) { k.PageMax = n }), "change the size of pages")
		}},
		{"limits", 2, false, func(r *run, g *rand.Rand) {
			if can.queryLimits {
				r.limits(g)
			}
		}},
		{"quota", 2, false, func(r *run, g *rand.Rand) {
			// From nothing used to nothing left.
			must(r.sim.SetQuotaUsed("", r.sim.Knobs().QuotaMax*[]int{0, 50, 85, 95, 100}[g.IntN(5)]/100), "use the quota")
		}},
		{"fault", 5, false, func(r *run, g *rand.Rand) { r.fault(g) }},
		{"chaos", 4, false, func(r *run, g *rand.Rand) {
			must(r.sim.SetChaos(simforce.Chaos{Rate: 0.1, Seed: g.Uint64()}), "start the faults")
		}},
		{"peace", 1, false, func(r *run, g *rand.Rand) { must(r.sim.SetChaos(simforce.Chaos{}), "end the faults") }},
		{"outage", 1, false, func(r *run, g *rand.Rand) { r.outage(g) }},

		// Operators, and workers that come back from the dead.
		{"edit", 3, false, func(r *run, g *rand.Rand) { r.edit(g) }},
		{"backfill", 2, false, func(r *run, g *rand.Rand) { r.backfill(g) }},
		{"resync", 2, false, func(r *run, g *rand.Rand) { r.resync(g) }},
		{"overtaken", 5, false, func(r *run, g *rand.Rand) { r.overtaken(g) }},
		{"pause", 1, false, func(r *run, g *rand.Rand) { r.pause(g) }},
		{"disconnect", 1, false, func(r *run, g *rand.Rand) { r.disconnect(g) }},
		{"reconnect", 1, false, func(r *run, g *rand.Rand) { r.connect() }},
		{"zombie", 3, false, func(r *run, g *rand.Rand) { r.release(g) }},
		{"haunt", 3, false, func(r *run, g *rand.Rand) { r.haunt(g) }},
	}
}

func actOf(name string) *act {
	i := slices.IndexFunc(acts, func(a act) bool { return a.name == name })
	if i < 0 {
		return nil
	}
	return &acts[i]
}

// anyWrite picks a change of data by weight.
func anyWrite(g *rand.Rand) *act {
	total := 0
	for _, a := range acts {
		if a.data {
			total += a.weight
		}
	}
	at := g.IntN(total)
	for i := range acts {
		if !acts[i].data {
			continue
		}
		if at -= acts[i].weight; at < 0 {
			return &acts[i]
		}
	}
	return nil
}

// randomWait is one second to twenty minutes, short ones more often.
func randomWait(g *rand.Rand) time.Duration {
	switch g.IntN(3) {
	case 0:
		return time.Duration(1+g.IntN(5)) * time.Second
	case 1:
		return time.Duration(5+g.IntN(115)) * time.Second
	}
	return time.Duration(2+g.IntN(18)) * time.Minute
}

func (r *run) ticks(g *rand.Rand, n int) {
	for range n {
		r.tick(g)
		r.pass(time.Duration(g.IntN(11000)) * time.Millisecond)
	}
}

// hand is how a write is made: at once, or inside a transaction; fields come on top.
type hand struct {
	tx     string
	fields simforce.Row
}

func (r *run) direct() hand { return hand{} }

func (r *run) create(object string, h hand, fields simforce.Row) error {
	for name, v := range h.fields {
		fields[name] = v
	}
	_, err := r.sim.CreateRecord(object, simforce.Write{Fields: fields, Tx: h.tx})
	return err
}

func (r *run) update(object, id string, h hand, fields simforce.Row) error {
	_, err := r.sim.UpdateRecord(object, id, simforce.Write{Fields: fields, Tx: h.tx})
	return err
}

// pick takes one row of an object, with the condition given if any; nil when there is none.
func (r *run) pick(g *rand.Rand, object string, fits func(simforce.Row) bool) simforce.Row {
	var list []simforce.Row
	for _, row := range r.records(object) {
		if fits == nil || fits(row) {
			list = append(list, row)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[g.IntN(len(list))]
}

func alive(row simforce.Row) bool { return row["IsDeleted"] != true }

func (r *run) anyObject(g *rand.Rand) *object { return r.objects[g.IntN(len(r.objects))] }

// aCase is the Id of a case that is there; nil when there is none.
func (r *run) aCase(g *rand.Rand) any {
	if row := r.pick(g, "Case", alive); row != nil {
		return row["Id"]
	}
	return nil
}

var words = []string{"printer", "invoice", "late", "broken", "Grüße", "refund", "please", "λ", "urgent", "thank you", "<b>bold</b>", "& more", "\r\n\r\nOn Monday", "“quoted”", "  spaces  ", "日本語"}

func sentence(g *rand.Rand) string {
	s := fmt.Sprintf("%06x", g.Uint32N(1<<24)) // no two alike
	for range 1 + g.IntN(8) {
		s += " " + words[g.IntN(len(words))]
	}
	return s
}

func (r *run) newMail(g *rand.Rand, h hand) error {
	f := simforce.Row{"Subject": sentence(g), "Incoming": g.IntN(3) > 0, "Status": []string{"0", "1", "2", "3"}[g.IntN(4)],
		"FromAddress": "ann@example.com", "FromName": "Ann " + sentence(g)[:6], "ToAddress": "help@acme.example; b@example.com"}
	if g.IntN(10) == 0 {
		f["Status"] = "5" // a draft
	}
	if g.IntN(5) > 0 {
		f["ParentId"] = r.aCase(g)
	}
	if g.IntN(4) == 0 {
		f["HtmlBody"] = "<p>" + sentence(g) + "</p><p>" + sentence(g) + "</p>"
	} else {
		f["TextBody"] = sentence(g)
	}
	if f["Incoming"] == false && g.IntN(2) == 0 { // to somebody whom Salesforce knows
		if user := r.pick(g, "User", nil); user != nil {
			f["ToIds"] = []string{text(user, "Id")}
		}
	}
	if f["ParentId"] == nil {
		f["ThreadIdentifier"] = "<" + sentence(g)[:6] + "@example.com>"
	}
	return r.create(mailObject, h, f)
}

func (r *run) newNote(g *rand.Rand, h hand) error {
	id := r.aCase(g)
	if id == nil {
		return fmt.Errorf("there is no case")
	}
	return r.create(noteObject, h, simforce.Row{"ParentId": id, "CommentBody": sentence(g), "IsPublished": g.IntN(2) == 0})
}

func (r *run) newSurvey(g *rand.Rand, h hand) error {
	f := simforce.Row{"Submitted__c": r.now(), "Feedback__c": sentence(g), "Score__c": float64(g.IntN(101)) / 10, "Case__c": r.aCase(g)}
	switch g.IntN(12) {
	case 0:
		f["Score__c"] = nil
	case 1:
		f["Submitted__c"] = nil // cannot become a comment
	}
	return r.create(surveyObject, h, f)
}

// newText changes what is billed.
func (r *run) newText(g *rand.Rand, h hand) error {
	o := r.anyObject(g)
	row := r.pick(g, o.name, alive)
	if row == nil {
		return fmt.Errorf("there is no row")
	}
	field := map[string]string{mailObject: "TextBody", noteObject: "CommentBody", surveyObject: "Feedback__c"}[o.name]
	if o.name == mailObject && g.IntN(4) == 0 {
		field = "Subject"
	}
	return r.update(o.name, text(row, "Id"), h, simforce.Row{field: sentence(g)})
}

// newMetadata changes what is not billed, and what conditions look at.
func (r *run) newMetadata(g *rand.Rand, h hand) error {
	o := r.anyObject(g)
	row := r.pick(g, o.name, alive)
	if row == nil {
		return fmt.Errorf("there is no row")
	}
	f := simforce.Row{}
	switch o.name {
	case mailObject:
		switch g.IntN(4) {
		case 0:
			f["Incoming"] = row["Incoming"] != true
		case 1:
			f["ParentId"] = r.aCase(g)
		case 2:
			f["ToAddress"] = fmt.Sprintf("%x@example.com", g.Uint32())
		default:
			f["Status"] = []string{"0", "1", "2", "3", "4", "5"}[g.IntN(6)]
		}
	case noteObject:
		f["IsPublished"] = row["IsPublished"] != true
	default:
		f["Score__c"] = float64(g.IntN(101)) / 10
		if text(row, "Feedback__c") != "" && g.IntN(6) == 0 {
			f["Submitted__c"] = r.now()
		}
	}
	if !can.filtered {
		delete(f, "Incoming")
		delete(f, "IsPublished")
		if f["Status"] == "5" || o.where.soql != "" {
			return nil
		}
	}
	return r.update(o.name, text(row, "Id"), h, f)
}

// newCase changes a parent, whose children keep their stamps.
func (r *run) newCase(g *rand.Rand, h hand) error {
	row := r.pick(g, "Case", alive)
	if row == nil {
		return fmt.Errorf("there is no case")
	}
	f := simforce.Row{}
	switch g.IntN(4) {
	case 0:
		f["Subject"] = sentence(g)
	case 1:
		f["Status"] = []string{"New", "Working", "Closed", "Escalated"}[g.IntN(4)]
	default:
		f["Priority"] = []string{"High", "Medium", "Low"}[g.IntN(3)]
	}
	if !can.filtered {
		f = simforce.Row{"Subject": sentence(g), "Origin": []string{"Email", "Web", "Phone"}[g.IntN(3)]}
	}
	return r.update("Case", text(row, "Id"), h, f)
}

// newRelation gives a mail one more recipient, which does not stamp the mail.
func (r *run) newRelation(g *rand.Rand, h hand) error {
	row := r.pick(g, mailObject, alive)
	if row == nil {
		return fmt.Errorf("there is no mail")
	}
	return r.create("EmailMessageRelation", h, simforce.Row{"EmailMessageId": text(row, "Id"),
		"RelationType": []string{"ToAddress", "CcAddress", "BccAddress", "OtherAddress"}[g.IntN(4)], "RelationAddress": fmt.Sprintf("%x@known.example", g.Uint32())})
}

func (r *run) newName(g *rand.Rand) error {
	row := r.pick(g, "Account", alive)
	if row == nil {
		return fmt.Errorf("there is no account")
	}
	return r.update("Account", text(row, "Id"), hand{}, simforce.Row{"Name": "Account " + sentence(g)[:6]})
}

// bump is a job of the platform: new stamps, same content.
func (r *run) bump(g *rand.Rand) error {
	name := append([]string{"Case"}, mailObject, noteObject, surveyObject)[g.IntN(4)]
	var ids []string
	for _, row := range r.records(name) {
		if alive(row) && g.IntN(3) == 0 {
			ids = append(ids, text(row, "Id"))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := r.sim.Bump("", name, time.Time{}, ids...)
	return err
}

// twice changes a text several times within one second, A to B, or A to B to A, and
// somebody may read in between.
func (r *run) twice(g *rand.Rand) {
	o := r.anyObject(g)
	row := r.pick(g, o.name, alive)
	if row == nil {
		return
	}
	field := map[string]string{mailObject: "TextBody", noteObject: "CommentBody", surveyObject: "Feedback__c"}[o.name]
	first := text(row, field)
	values := []string{sentence(g), sentence(g)}
	if g.IntN(2) == 0 {
		values = []string{sentence(g), first}
	}
	for _, v := range values {
		r.write(func() error { return r.update(o.name, text(row, "Id"), hand{}, simforce.Row{field: v}) })
		if g.IntN(2) == 0 {
			r.tick(g)
		}
	}
}

// mass is a bulk load: n rows, one stamp.
func (r *run) mass(g *rand.Rand, n int) error {
	id := r.aCase(g)
	switch o := r.anyObject(g); o.name {
	case noteObject:
		if id == nil {
			return fmt.Errorf("there is no case")
		}
		_, err := r.sim.CreateRecords(noteObject, n, simforce.Write{Fields: simforce.Row{"ParentId": id, "CommentBody": "{n} " + sentence(g), "IsPublished": true}})
		return err
	case surveyObject:
		_, err := r.sim.CreateRecords(surveyObject, n, simforce.Write{Fields: simforce.Row{"Feedback__c": "{n} " + sentence(g), "Submitted__c": r.now(), "Score__c": 7.5}})
		return err
	}
	_, err := r.sim.CreateRecords(mailObject, n, simforce.Write{Fields: simforce.Row{"ParentId": id, "Subject": "{n} " + sentence(g), "TextBody": "{n} " + sentence(g),
		"Incoming": true, "Status": "0", "FromAddress": "bulk@example.com", "ToAddress": "help@acme.example"}})
	return err
}

func (r *run) renamePicklist(g *rand.Rand) error {
	from := []string{"Email", "Web", "Phone"}[g.IntN(3)]
	_, err := r.sim.RenamePicklist("", "Case", "Origin", from, from+" "+sentence(g)[:4], true)
	return err
}

// transaction writes now and commits 3 to 600 seconds later.
func (r *run) transaction(g *rand.Rand) {
	tx, err := r.sim.Begin("")
	must(err, "begin a transaction")
	after := time.Duration(3+g.IntN(30)) * time.Second
	if g.IntN(2) == 0 {
		after = time.Duration(3+g.IntN(598)) * time.Second
	}
	must(tx.CommitAfter(after), "let the transaction commit later")
	r.openTx(tx, after)
	r.inside(g, tx.ID())
}

func (r *run) openTx(tx *simforce.Tx, after time.Duration) {
	r.world.open = append(r.world.open, &openTx{tx, r.now(), r.now().Add(after)})
}

// join writes more into a transaction that is open.
func (r *run) join(g *rand.Rand) {
	var list []*openTx
	for _, tx := range r.open {
		if tx.until.After(r.now()) {
			list = append(list, tx)
		}
	}
	if len(list) == 0 {
		return
	}
	r.inside(g, list[g.IntN(len(list))].ID())
}

func (r *run) inside(g *rand.Rand, tx string) {
	if !can.lateSameSecond {
		r.pass(time.Second)
	}
	h := hand{tx: tx}
	for range 1 + g.IntN(4) {
		r.write(func() error {
			switch g.IntN(7) {
			case 0, 1:
				return r.newMail(g, h)
			case 2:
				return r.newNote(g, h)
			case 3:
				return r.newText(g, h)
			case 4:
				return r.newMetadata(g, h)
			case 5:
				if can.lateParents && g.IntN(3) == 0 {
					return r.newRelation(g, h)
				}
				if can.lateParents {
					return r.newCase(g, h)
				}
			}
			return r.removeIn(g, tx)
		})
	}
}

func (r *run) removeIn(g *rand.Rand, tx string) error {
	i := slices.IndexFunc(r.open, func(t *openTx) bool { return t.ID() == tx })
	row := r.pick(g, r.anyObject(g).name, alive)
	if i < 0 || row == nil {
		return fmt.Errorf("there is nothing to delete")
	}
	return r.open[i].DeleteRecord(text(row, "Id"), false)
}

func (r *run) remove(g *rand.Rand, hard bool) error {
	row := r.pick(g, r.anyObject(g).name, func(row simforce.Row) bool { return hard || alive(row) })
	if row == nil {
		return fmt.Errorf("there is nothing to delete")
	}
	if o := r.objectOf(row); hard && o != nil && !r.sim.Knobs().HardDeletesLogged {
		o.untold[text(row, "Id")] = true
	}
	return r.sim.DeleteRecord("", text(row, "Id"), hard)
}

// objectOf is the object of the script that a row belongs to.
func (r *run) objectOf(row simforce.Row) *object {
	for _, o := range r.objects {
		if o.now[text(row, "Id")] != nil {
			return o
		}
	}
	return nil
}

// trim forgets the log of deletes: what is gone and was not noticed leaves no trace.
func (r *run) trim(o *object) error {
	for id, s := range o.now {
		if s.gone || s.deleted {
			o.untold[id] = true
		}
	}
	return r.sim.TrimDeleteLog("", o.name, r.now())
}

func (r *run) undelete(g *rand.Rand) error {
	row := r.pick(g, r.anyObject(g).name, func(row simforce.Row) bool {
		if alive(row) {
			return false
		}
		id := text(row, "ParentId")
		if id == "" {
			return true
		}
		parent, err := r.sim.Record("", id)
		return err == nil && alive(parent)
	})
	if row == nil {
		return fmt.Errorf("the bin is empty")
	}
	return r.sim.UndeleteRecord("", text(row, "Id"))
}

func (r *run) removeCase(g *rand.Rand) error {
	cases := 0
	for _, row := range r.records("Case") {
		if alive(row) {
			cases++
		}
	}
	if row := r.pick(g, "Case", alive); cases > 1 {
		return r.sim.DeleteRecord("", text(row, "Id"), false)
	}
	return fmt.Errorf("the last case stays")
}

func (r *run) undeleteCase(g *rand.Rand) error {
	row := r.pick(g, "Case", func(row simforce.Row) bool { return !alive(row) })
	if row == nil {
		return fmt.Errorf("no case was deleted")
	}
	return r.sim.UndeleteRecord("", text(row, "Id"))
}

func (r *run) merge(g *rand.Rand) error {
	winner, loser := r.pick(g, "Case", alive), r.pick(g, "Case", alive)
	if winner == nil {
		return fmt.Errorf("there is no case")
	}
	return r.sim.MergeRecords("", text(winner, "Id"), text(loser, "Id"))
}

func (r *run) purge(g *rand.Rand) error {
	row := r.pick(g, r.anyObject(g).name, func(row simforce.Row) bool { return !alive(row) })
	if row == nil {
		return fmt.Errorf("the bin is empty")
	}
	return r.sim.PurgeRecord("", text(row, "Id"))
}

// share hides a row, or a case with all that follows it, or shows one again.
func (r *run) share(g *rand.Rand) error {
	name := "Case"
	if o := r.anyObject(g); g.IntN(2) == 0 && o.name != noteObject { // a comment is never hidden but with its case
		name = o.name
	}
	row := r.pick(g, name, nil)
	for id := range r.hidden {
		if g.IntN(2) == 0 {
			delete(r.hidden, id)
			return r.sim.SetRowVisible("", simforce.SyncUser, id, true)
		}
		break
	}
	if row == nil {
		return nil
	}
	id := text(row, "Id")
	r.hidden[id] = true
	for _, o := range r.objects {
		for child, s := range o.now {
			if s.gone && s.parent == id { // the log of deletes hides what its parent hides
				o.untold[child] = true
			}
		}
	}
	return r.sim.SetRowVisible("", simforce.SyncUser, id, false)
}

// toggleViewAll gives View All on an object or takes it away. Mails and comments have none of
// their own: they follow their case. With one, a child of a hidden case would be seen, and
// nobody could see that its case changes.
func (r *run) toggleViewAll(g *rand.Rand) error {
	name := []string{"Case", surveyObject}[g.IntN(2)]
	r.viewAll[name] = !r.viewAll[name]
	return r.sim.SetViewAll("", simforce.SyncUser, name, r.viewAll[name])
}

// field hides a field from the integration user or shows one again. What is hidden at
// the end is shown when the script heals.
func (r *run) field(g *rand.Rand) {
	if len(r.set.hidden) > 0 && g.IntN(3) > 0 {
		at := g.IntN(len(r.set.hidden))
		must(r.sim.SetVisible("", simforce.SyncUser, r.set.hidden[at], true), "show a field")
		r.set.hidden = slices.Delete(r.set.hidden, at, at+1)
		return
	}
	what := []string{"EmailMessage.TextBody", "EmailMessage.HtmlBody", "EmailMessage.Subject", "EmailMessage.BccAddress", "EmailMessage.Status", "Case.Priority", "Case.Subject",
		"CaseComment.CommentBody", "Survey_Response__c.Score__c", "Survey_Response__c.Feedback__c", "Account.Name", "CaseComment", "Case"}[g.IntN(13)]
	if !slices.Contains(r.set.hidden, what) {
		must(r.sim.SetVisible("", simforce.SyncUser, what, false), "hide a field")
		r.fieldsHidden = true
		r.set.hidden = append(r.set.hidden, what)
	}
}

func (r *run) rotation(g *rand.Rand) {
	mode := []string{"off", "on", "echo"}[g.IntN(3)]
	kills := []string{"auto", "always", "never"}[g.IntN(3)]
	must(r.sim.SetKnobs(func(k *simforce.Knobs) { k.Rotation, k.RefreshKillsSession = mode, kills }), "change the rotation")
	if g.IntN(2) == 0 {
		r.sim.KillSessions("")
	}
}

func (r *run) moveInstance(g *rand.Rand) {
	to := r.url
	if r.home() == to {
		to = "http://localhost:" + to[len("http://127.0.0.1:"):]
	}
	must(r.sim.MoveInstance(to), "move the org")
	if g.IntN(3) == 0 {
		must(r.sim.SetKnobs(func(k *simforce.Knobs) { k.WrongHost = []string{"redirect", "session"}[g.IntN(2)] }), "say how the old host answers")
	}
}

func (r *run) limits(g *rand.Rand) {
	l := simforce.QueryLimits{}
	switch g.IntN(4) {
	case 0:
		l.TimeoutRows = 3 + g.IntN(20)
	case 1:
		l.TimeoutSeconds = 600 + g.IntN(7200)
	case 2:
		l.TooLargeRows = 3 + g.IntN(20)
	}
	must(r.sim.SetKnobs(func(k *simforce.Knobs) { k.QueryLimits = l }), "limit the queries")
}

// fault breaks one of the next requests in one of the ways there are.
func (r *run) fault(g *rand.Rand) {
	classes := simforce.FaultClasses()
	for range 1 + g.IntN(3) {
		c := classes[g.IntN(len(classes))]
		if c.Heavy || slices.Contains(lastingLie, c.Name) {
			continue
		}
		stage := "before"
		if len(c.On) > 0 && strings.HasPrefix(c.On[0], "token") && g.IntN(2) == 0 {
			stage = "after" // the token was rotated, and nobody learns of it
		}
		must(r.sim.FailNext(simforce.Fault{Class: c.Name, Stage: stage, Times: 1 + g.IntN(2)}), "break a request")
	}
}

// lastingLie are faults that tell something untrue about our own requests.
var lastingLie = []string{"malformed_query", "version_gone"}

func (r *run) outage(g *rand.Rand) {
	m := simforce.Maintenance{From: r.now(), Until: r.now().Add(time.Duration(10+g.IntN(600)) * time.Second), JSON: g.IntN(2) == 0, Login: g.IntN(2) == 0}
	must(r.sim.SetKnobs(func(k *simforce.Knobs) { k.Maintenance = m }), "begin an outage")
}

// edit applies a changed file: everything is read again under a new epoch, and who is
// still at work on the old one must not write.
func (r *run) edit(g *rand.Rand) {
	o := r.anyObject(g)
	o.renamed = !o.renamed
	r.say("the file changes: %s", o.name)
	r.apply()
	r.look()
}

// resync asks for a part of an object to be read again beside the live lane.
func (r *run) resync(g *rand.Rand) *object {
	o := r.anyObject(g)
	var from time.Time
	if g.IntN(2) == 0 {
		from = r.now().Add(-time.Duration(g.IntN(3600)) * time.Second)
	}
	r.say("resync %s from %s", o.name, from)
	must(r.d.db.RequestResync(r.ctx, r.id, o.name, from, time.Time{}, "a script asked"), "ask for a resync")
	return o
}

// backfill asks for an object to be read again in bulk, or pauses, resumes or ends what is
// under way.
func (r *run) backfill(g *rand.Rand) {
	o := r.objects[g.IntN(len(r.objects))]
	var from time.Time
	if g.IntN(2) == 0 {
		from = r.now().Add(-time.Duration(g.IntN(3600)) * time.Second)
	}
	err := r.d.db.RequestBackfill(r.ctx, r.id, o.name, from, time.Time{}, "a script asked")
	r.say("backfill %s from %s: %v", o.name, from, err)
	if err == nil || g.IntN(2) == 0 {
		return
	}
	for _, signal := range [][]string{{flow.SignalPause, flow.SignalResume}, {flow.SignalResume}, {flow.SignalCancel}}[g.IntN(3)] {
		if err := r.d.db.SteerBackfill(r.ctx, r.spec.Project, r.spec.Integration, o.name, signal); err != nil {
			r.say("%s the backfill of %s: %v", signal, o.name, err)
		}
		r.calmly(func() { r.tick(g) })
	}
}

// overtaken is a resync whose rows are read, and applied only when the live lane has
// long read and applied what has changed since: the older reading must not win.
func (r *run) overtaken(g *rand.Rand) {
	o := r.resync(g)
	r.calmly(func() { r.tick(g) }) // the live lane has nothing left
	must(r.d.db.RequestResync(r.ctx, r.id, o.name, time.Time{}, time.Time{}, "a script asked again"), "ask for a resync")
	target, err := r.d.db.LoadTarget(r.ctx, r.spec.Project, r.spec.Integration)
	must(err, "read the integration")
	at, ok := target.Object(o.name)
	if !ok || at.Resync == nil || at.State != "ok" {
		return
	}
	ref := flow.BatchRef{Stream: at.Resync.Stream, Epoch: at.Resync.Epoch, Seq: at.Resync.Seq + 1, Object: o.name}
	r.breathe()
	if _, err := r.svc.Poll(r.ctx, ref); err != nil {
		r.note("Poll of a resync", err)
		return
	}
	r.refs = append(r.refs, ref)
	// What changes has the stamp it had: a parent's field.
	row := r.pick(g, o.name, func(row simforce.Row) bool {
		now := o.now[text(row, "Id")]
		return now != nil && now.readable() && text(row, "ParentId") != ""
	})
	if row == nil {
		return
	}
	r.write(func() error {
		return r.update("Case", text(row, "ParentId"), hand{}, simforce.Row{"Subject": sentence(g), "Origin": []string{"Email", "Web", "Phone"}[g.IntN(3)]})
	})
	for range 3 {
		r.calmly(func() { r.tick(g) })
		r.pass(4 * time.Second)
	}
	if _, err := r.batches.Transform(r.ctx, ref); err != nil {
		r.note("Transform of a resync", err)
		return
	}
	done, err := r.d.db.Upsert(r.ctx, ref)
	if err != nil {
		r.note("Upsert of a resync", err)
		return
	}
	r.say("the overtaken batch %v is applied: %+v", ref, done.Counts)
	r.receipt(ref, done.Counts)
	r.published()
}

func (r *run) pause(g *rand.Rand) {
	r.desire(store.DesiredPaused, flow.SignalPause)
	r.ticks(g, 1)
	r.pass(randomWait(g))
	if !r.away {
		r.desire(store.DesiredRunning, flow.SignalResume)
	}
}

func (r *run) disconnect(g *rand.Rand) {
	r.desire(store.DesiredDisconnected, flow.SignalConfigChanged)
	if err := r.auth.Disconnect(r.ctx, r.id); err != nil {
		r.say("disconnect: %v", err)
	}
	r.away = true
	r.ticks(g, 1)
	r.pass(randomWait(g))
	r.desire(store.DesiredRunning, flow.SignalResume)
	r.connect()
}

// release lets the one who has been held longest go on.
func (r *run) release(*rand.Rand) {
	if len(r.held) == 0 {
		return
	}
	h := r.held[0]
	r.held = r.held[1:]
	r.say("%s goes on", h.what)
	h.finish()
	r.published()
	r.tellCaught()
}
