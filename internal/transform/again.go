package transform

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// Again makes comments anew of stored raw copies, by the mapping and the cleaning of
// today, and says what would become of what is stored. It writes nothing and is for one
// goroutine at a time.
type Again struct {
	reader *Reader
	// What the same inputs once became stays, as it does when a record is read again.
	inputsOnly bool
	withoutRaw []string          // with inputsOnly: the records whose raw copies are gone
	oldest     *time.Time        // what is older does not become a comment; nil = nothing is too old
	reasons    map[string]string // why records cannot become comments, by Id; nil = nobody asks
}

// NewAgain is for all comments of an object: every text follows the cleaning, whether its
// inputs changed or not. plan is the object's, as it is stored.
func NewAgain(plan json.RawMessage) (*Again, error) {
	recipe, err := RecipeOf(plan)
	if err != nil {
		return nil, err
	}
	return &Again{reader: recipe.Reader()}, nil
}

// RecipeOf reads the recipe in an object's plan.
func RecipeOf(plan json.RawMessage) (Recipe, error) {
	var p struct {
		Recipe Recipe `json:"recipe"`
	}
	if err := json.Unmarshal(plan, &p); err != nil || len(p.Recipe.Types) == 0 {
		return p.Recipe, fault.Wrap(fault.Internal, err, "read the stored plan of an object")
	}
	return p.Recipe, nil
}

// Fingerprint tells recipes and cleaning versions apart: what one of them could not make a
// comment of, another may.
func (r Recipe) Fingerprint() string {
	raw, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and bools always encode
	}
	sum := sha256.Sum256(append(strconv.AppendInt(nil, clean.Version, 10), raw...))
	return hex.EncodeToString(sum[:16])
}

// Change is a record that does not stay what it is.
type Change struct {
	Record store.StoredRecord
	Remade store.Remade
	Before *store.Kept // what is stored of it; nil when it is no comment
}

// Records makes the comments of records anew and gives those that change, those of one
// chunk after those of another. What a change holds is good until do returns.
func (a *Again) Records(raw *store.RawReader, records []store.StoredRecord, do func(Change) error) (flow.RetransformCounts, error) {
	counts := flow.RetransformCounts{Records: int64(len(records))}
	places := make([]store.RawPlace, 0, 8)
	at := map[store.RawPlace]map[string]store.StoredRecord{}
	for _, r := range records {
		if at[r.Raw] == nil {
			at[r.Raw] = map[string]store.StoredRecord{}
			places = append(places, r.Raw)
		}
		at[r.Raw][r.ID] = r
	}
	for _, place := range places {
		wanted := at[place]
		chunk, ok, err := raw.Chunk(place)
		if err != nil {
			return counts, err
		}
		if !ok {
			a.lack(wanted, nil, &counts)
			continue
		}
		if err := a.chunk(raw, chunk, wanted, &counts, do); err != nil {
			return counts, err
		}
	}
	counts.Units = counts.Created + counts.TextChanged
	return counts, nil
}

// chunk is Records for those of one chunk.
func (a *Again) chunk(raw *store.RawReader, chunk store.Chunk, wanted map[string]store.StoredRecord, counts *flow.RetransformCounts, do func(Change) error) error {
	var readings []Reading
	var missing []string
	if err := a.reader.pick(chunk, wanted, func(x Reading) {
		readings = append(readings, x)
		if len(x.Missing) > 0 {
			missing = append(missing, x.row.RecordID)
		}
	}); err != nil {
		return err
	}
	a.lack(wanted, readings, counts)
	before := map[string]*store.Kept{}
	var err error
	if len(missing) > 0 {
		if before, err = raw.Kept(missing); err != nil {
			return err
		}
	}
	var changes []Change
	var changed []string
	for _, x := range readings {
		c := Change{Record: wanted[x.row.RecordID]}
		row := a.reader.Finish(x, before[x.row.RecordID])
		if row.TextKept {
			row.TextDigest = c.Record.TextDigest
		}
		if c.Remade, err = a.decide(c.Record, row); err != nil {
			return err
		}
		if row.Reason != "" && a.reasons != nil {
			a.reasons[row.RecordID] = row.Reason
		}
		if c.Remade.Outcome == store.RemadeUnchanged {
			counts.Unchanged++
			continue
		}
		changes = append(changes, c)
		if c.Record.HasComment {
			changed = append(changed, c.Record.ID)
		}
	}
	if len(changed) > 0 {
		if before, err = raw.Kept(changed); err != nil {
			return err
		}
	}
	for _, c := range changes {
		if c.Record.HasComment {
			c.Before = before[c.Record.ID]
		}
		c.count(counts)
		if err := do(c); err != nil {
			return err
		}
	}
	return nil
}

// lack notes the records of a place that are not there.
func (a *Again) lack(wanted map[string]store.StoredRecord, there []Reading, counts *flow.RetransformCounts) {
	counts.WithoutRaw += int64(len(wanted) - len(there))
	if !a.inputsOnly || len(wanted) == len(there) {
		return
	}
	for id := range wanted {
		if !slices.ContainsFunc(there, func(x Reading) bool { return x.row.RecordID == id }) {
			a.withoutRaw = append(a.withoutRaw, id)
		}
	}
}

// pick reads those of a chunk's records that are wanted, each once.
func (r *Reader) pick(chunk store.Chunk, wanted map[string]store.StoredRecord, do func(Reading)) error {
	left := len(wanted)
	if left == 0 {
		return nil
	}
	took := make(map[string]bool, left)
	wants := func(id string) bool {
		_, is := wanted[id]
		return is || len(id) != 18 // another spelling of an Id may be wanted
	}
	err := r.each(chunk, wants, func(x Reading) error {
		if _, is := wanted[x.row.RecordID]; !is || took[x.row.RecordID] {
			return nil
		}
		took[x.row.RecordID] = true
		do(x)
		if left--; left == 0 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// errEnough ends the reading of a chunk: what was wanted of it is read.
var errEnough = errors.New("all that was wanted is read")

// decide says what becomes of a record that became row this time.
func (a *Again) decide(rec store.StoredRecord, row store.StagedRow) (store.Remade, error) {
	unchanged := store.Remade{Outcome: store.RemadeUnchanged}
	back := rec.State == store.RecordSetAside
	out := store.Remade{State: rec.State, Back: back, Row: row}
	switch {
	case row.Deleted || row.Verdict != "": // to say so is for whoever reads it
		return unchanged, nil
	case row.Reason != "":
		if rec.State != store.RecordLive {
			return unchanged, nil
		}
		out.Outcome, out.State = store.RemadeSetAside, store.RecordSetAside
		return out, nil
	case !back && (!rec.HasComment || rec.Tombstone):
		return unchanged, nil
	case back:
		out.State = store.RecordLive
	}
	if !rec.HasComment {
		if a.oldest != nil && row.Comment.Timestamp.Before(*a.oldest) {
			return unchanged, nil
		}
		out.Outcome = store.RemadeCreated
		return out, nil
	}
	same := row.TextKept || bytes.Equal(comment.HashTexts(row.Comment.Texts()), rec.TextHash)
	if !same && (!a.inputsOnly || !bytes.Equal(row.TextDigest, rec.TextDigest)) {
		out.Outcome = store.RemadeText
		return out, nil
	}
	content, err := row.Comment.HashContent()
	if err != nil {
		return unchanged, fault.Wrap(fault.Internal, err, "make record %s anew", rec.ID)
	}
	if !back && bytes.Equal(content, rec.ContentHash) {
		return unchanged, nil
	}
	out.Outcome = store.RemadeMetadata
	return out, nil
}

func (c Change) count(n *flow.RetransformCounts) {
	switch c.Remade.Outcome {
	case store.RemadeCreated:
		n.Created++
	case store.RemadeMetadata:
		n.MetadataChanged++
	case store.RemadeSetAside:
		n.SetAside++
	case store.RemadeText:
		n.TextChanged++
		if c.Before == nil {
			return
		}
		var body, signature int
		for _, m := range c.Remade.Row.Comment.Texts() {
			body += utf8.RuneCountInString(m.Body)
			signature += utf8.RuneCountInString(m.Signature)
		}
		for _, m := range c.Before.Comment.Texts() {
			body -= utf8.RuneCountInString(m.Body)
			signature -= utf8.RuneCountInString(m.Signature)
		}
		tally(body, &n.BodiesShorter, &n.BodiesLonger)
		tally(signature, &n.SignaturesShorter, &n.SignaturesLonger)
	}
}

func tally(by int, shorter, longer *int64) {
	switch {
	case by < 0:
		*shorter++
	case by > 0:
		*longer++
	}
}
