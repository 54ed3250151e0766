package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The model of the bill: what somebody would write down who reads docs/billing.md and watches. It shares nothing with the
// product, not even how two texts are compared, and has no retries, no crashes and no batches: it is told of a
// reading when it is made, and of its being applied when that has happened, once.

// sheet is a record as Salesforce has it.
type sheet struct {
	object  string
	version int // one more for each change that a reader can see

	subject, reply, quote string // quote is a mail that is quoted below: it is read, and is no text
	deleted               bool
	outside               bool // of the condition
	unusable              bool // it cannot become a comment
}

// inputs are what a text is made of, and text is what becomes of them.
func (s sheet) inputs() string { return s.subject + "\x00" + s.reply + "\x00" + s.quote }
func (s sheet) text() string   { return s.subject + "\x00" + s.reply }

// entry is a comment of a source, or what is left of one.
type entry struct {
	there   bool // it has a text, also when it was deleted and may come back
	deleted bool // it is out of lists, or its record was deleted and it is kept
	text    string
	inputs  string // those of its text; "" when a client wrote it
	seen    sheet  // the newest version of its record that was applied
	raw     bool   // there is a copy of that, of which the text can be made anew
}

// due is what units are summed up by.
type due struct{ project, source, day string }

// clerk keeps the bill.
type clerk struct {
	policy  map[string]string           // of deletes, by object
	records map[string]*sheet           // Salesforce, by Id
	sources map[string]map[string]entry // by project/source and comment
	units   map[due]int64
	charged map[string]int64 // by project/source/comment, for a person who looks for a difference
	bent    string           // a rule that it gets wrong; "" for none
}

func newClerk(policy map[string]string) *clerk {
	return &clerk{policy: policy, records: map[string]*sheet{}, sources: map[string]map[string]entry{}, units: map[due]int64{}, charged: map[string]int64{}}
}

// charge writes down one unit.
func (c *clerk) charge(source, id string, at time.Time) {
	project, name, _ := strings.Cut(source, "/")
	c.units[due{project, name, at.UTC().Format(time.DateOnly)}]++
	c.charged[source+"/"+id]++
}

func (c *clerk) of(source string) map[string]entry {
	if c.sources[source] == nil {
		c.sources[source] = map[string]entry{}
	}
	return c.sources[source]
}

// read is what a reader of an object sees now: every record within the condition.
func (c *clerk) read(object string) map[string]sheet {
	seen := map[string]sheet{}
	for id, s := range c.records {
		if s.object == object && !s.outside {
			seen[id] = *s
		}
	}
	return seen
}

// apply is a reading whose comments are written. What is newer than it stays.
func (c *clerk) apply(source string, seen map[string]sheet, at time.Time) {
	comments := c.of(source)
	for id, s := range seen {
		e := comments[hexOf(id)]
		if e.seen.version >= s.version {
			e.raw = e.raw || e.seen.version == s.version
			comments[hexOf(id)] = e
			continue
		}
		metadata := e.there && e.seen.version > 0 && s.inputs() == e.inputs
		e.seen, e.raw = s, true
		switch {
		case s.deleted && e.there && c.policy[s.object] == "erase":
			e = entry{seen: s, raw: true}
		case s.deleted:
			e.deleted = true
		case s.unusable:
		default:
			undeleted := e.deleted
			e.deleted = false
			if !e.there || e.inputs != s.inputs() && e.text != s.text() || c.bent == "metadata" && metadata || c.bent == "undelete" && undeleted && e.there {
				c.charge(source, hexOf(id), at)
				e.text = s.text()
			}
			e.there, e.inputs = true, s.inputs()
		}
		comments[hexOf(id)] = e
	}
}

// forgets is what an older release left of a comment: another text of the same inputs.
func (c *clerk) forgets(source, id, text string) {
	e := c.of(source)[id]
	e.text = text
	c.of(source)[id] = e
}

// leave is an integration that is deleted: its copies of records go with it.
func (c *clerk) leave(source string) {
	for id, e := range c.of(source) {
		e.raw = false
		c.of(source)[id] = e
	}
}

// remake makes the texts of an object's comments anew, where there are copies. What was deleted is left alone.
func (c *clerk) remake(source, object string, at time.Time) {
	for id, e := range c.of(source) {
		if e.there && !e.deleted && e.raw && e.seen.object == object && !e.seen.unusable && e.text != e.seen.text() {
			c.charge(source, id, at)
			e.text, e.inputs = e.seen.text(), e.seen.inputs()
			c.of(source)[id] = e
		}
	}
}

// write is a comment that a client writes.
func (c *clerk) write(source, id, text string, at time.Time) {
	e := c.of(source)[id]
	if !e.there || e.deleted || e.text != text {
		c.charge(source, id, at)
	}
	e.there, e.deleted, e.text = true, false, text
	c.of(source)[id] = e
}

// remove is a comment that a client deletes: nothing is left to compare with.
func (c *clerk) remove(source, id string) { delete(c.of(source), id) }

// unread lists what was never read as it is now.
func (c *clerk) unread(source string) (ids []string) {
	for id, s := range c.records {
		if !s.outside && c.of(source)[hexOf(id)].seen.version < s.version {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// total is how many units there are.
func (c *clerk) total() (n int64) {
	for _, units := range c.units {
		n += units
	}
	return n
}

// lines is the bill: project, source, day and units.
func (c *clerk) lines() []string { return linesOf(c.units) }

func linesOf(units map[due]int64) []string {
	var out []string
	for d, n := range units {
		out = append(out, fmt.Sprintf("%s/%s %s %d", d.project, d.source, d.day, n))
	}
	slices.Sort(out)
	return out
}

// differences says which comments cost otherwise than they should.
func (c *clerk) differences(charged map[string]int64) (out []string) {
	all := maps.Clone(charged)
	maps.Copy(all, c.charged)
	for id := range all {
		if charged[id] != c.charged[id] {
			out = append(out, fmt.Sprintf("%s has cost %d units and should have cost %d", id, charged[id], c.charged[id]))
		}
	}
	slices.Sort(out)
	return out
}
