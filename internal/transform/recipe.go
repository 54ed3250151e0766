package transform

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"time"

	"salesforcesync/internal/csv"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

// Paths that every query selects besides those of the mapping.
const (
	PathID      = "Id"
	PathDeleted = "IsDeleted"
)

// PathVerdict is set in a staged line that is no record of Salesforce but what reading
// one by Id proved: "deleted", "filtered" or "invisible". No field of Salesforce can have
// this name.
const PathVerdict = "_verdict"

// NoStamp dates the records of objects that have no stamp, and those whose stamp is
// empty: of two such versions the one that was read later counts.
var NoStamp = time.Unix(0, 0).UTC()

// Recipe is what is needed to read the records of one object and to make comments
// of them. It is stored with the object (in its plan) as JSON.
type Recipe struct {
	Stamp   string  `json:"stamp"` // the path of the cursor, e.g. SystemModstamp; "" when the object has none
	Types   Types   `json:"types"` // of every selected path
	Mapping Mapping `json:"mapping"`
}

// Row makes the staged row of one record as Salesforce gave it. The record's Id must
// be there; anything else that is wrong becomes the row's reason. It is
// [Recipe.Read] and [Recipe.Finish] for a record of which nothing is stored.
func (r Recipe) Row(raw []byte) (store.StagedRow, error) {
	x, err := r.Read(raw)
	if err != nil || x.done {
		return x.row, err
	}
	return r.Finish(x, nil), nil
}

// Reading is one record that was read and is not a comment yet.
type Reading struct {
	// Missing are the paths of the mapping that the record does not carry, sorted: they
	// could not be selected. What they feed stays as it is stored.
	Missing []string

	row        store.StagedRow
	rec        salesforce.Record
	recipients Recipients
	done       bool // the row is all there is: a delete, or a record that cannot be read
}

// Read decodes one record as Salesforce gave it.
func (r Recipe) Read(raw []byte) (Reading, error) {
	if bytes.Contains(raw, verdictKey) {
		row, err := r.verdict(raw)
		return Reading{row: row, done: true}, err
	}
	rec, err := salesforce.Decode(raw, r.Types)
	if err != nil {
		row, err := r.unreadable(raw, err)
		return Reading{row: row, done: true}, err
	}
	if r.Stamp != "" && !rec.Has(r.Stamp) {
		row, err := r.unreadable(raw, fault.New(fault.Record, "it came without its %s", r.Stamp))
		return Reading{row: row, done: true}, err
	}
	x := Reading{rec: rec, row: store.StagedRow{RecordID: rec.ID, Stamp: r.stampOf(rec)}}
	if x.recipients, err = recipientsOf(raw); err != nil {
		return Reading{}, fault.Wrap(fault.Internal, err, "read the recipients of %s", rec.ID)
	}
	paths := r.Mapping.Paths()
	x.row.RecordDigest, x.row.TextDigest = r.digest(rec, paths, x.recipients), r.textDigest(rec)
	if deleted, _ := rec.Bool(PathDeleted); deleted {
		x.row.Deleted, x.done = true, true
		return x, nil
	}
	for _, p := range paths {
		if !rec.Has(p) {
			x.Missing = append(x.Missing, p)
		}
	}
	return x, nil
}

// Finish makes the staged row of a reading. before is what is stored of the record, nil
// for nothing; it is looked at only when the reading misses something.
func (r Recipe) Finish(x Reading, before *store.Kept) store.StagedRow {
	if x.done {
		return x.row
	}
	row := x.row
	var err error
	if len(x.Missing) == 0 {
		row.Comment, err = Comment(x.rec, r.Mapping, r.Types)
	} else {
		row.Comment, row.TextKept, err = r.keep(x, before)
	}
	if err == nil {
		x.recipients.add(&row.Comment.Messages[0])
	}
	if err != nil {
		row.Comment, row.TextKept, row.Reason = nil, false, err.Error() // set aside with its reason
	}
	return row
}

// verdictKey cannot stand inside a value: there its quotes would be escaped.
var verdictKey = []byte(`"` + PathVerdict + `":`)

// verdict makes the row of a line that tells what became of a record.
func (r Recipe) verdict(raw []byte) (store.StagedRow, error) {
	var line struct {
		Verdict string `json:"_verdict"`
	}
	if err := json.Unmarshal(raw, &line); err != nil {
		return store.StagedRow{}, fault.Wrap(fault.Internal, err, "read a staged verdict")
	}
	rec, err := salesforce.Decode(raw, Types{r.Stamp: salesforce.TypeDateTime})
	if err != nil {
		return store.StagedRow{}, fault.Wrap(fault.Internal, err, "read a staged verdict")
	}
	digest := sha256.Sum256(raw)
	row := store.StagedRow{RecordID: rec.ID, Stamp: r.stampOf(rec), RecordDigest: digest[:], TextDigest: digest[:]}
	switch line.Verdict {
	case store.RecordDeleted:
		row.Deleted = true
	case store.RecordFiltered, store.RecordInvisible:
		row.Verdict = line.Verdict
	default:
		return row, fault.New(fault.Internal, "the verdict %q on record %s is unknown", line.Verdict, rec.ID)
	}
	return row, nil
}

// digest says whether the record would become the same comment again: it covers the
// values that the mapping reads and the mapping itself, so that a renamed property is a
// change. The stamp is not in it: system jobs move stamps and change nothing.
func (r Recipe) digest(rec salesforce.Record, paths []string, recipients Recipients) []byte {
	values := rec.Digest(paths)
	mapping, err := json.Marshal(r.Mapping)
	if err != nil {
		panic(err) // strings and bools always encode
	}
	all := append(values[:], mapping...)
	if !recipients.IsZero() { // else the digest is that of a record that cannot have any
		more, err := json.Marshal(recipients)
		if err != nil {
			panic(err)
		}
		all = append(all, more...)
	}
	sum := sha256.Sum256(all)
	return sum[:]
}

// textDigest covers the values that feed subject, body and signature, and which feeds
// which: a mapping that swaps two of them changes the text.
func (r Recipe) textDigest(rec salesforce.Record) []byte {
	m := r.Mapping
	values := rec.Digest(m.TextPaths())
	roles, err := json.Marshal(Mapping{Subject: m.Subject, Body: m.Body, Signature: m.Signature})
	if err != nil {
		panic(err) // strings and bools always encode
	}
	sum := sha256.Sum256(append(values[:], roles...))
	return sum[:]
}

// stampOf is the record's version in time.
func (r Recipe) stampOf(rec salesforce.Record) time.Time {
	if stamp, ok := rec.Time(r.Stamp); ok {
		return stamp
	}
	return NoStamp
}

// Identity is what tells a record's versions apart without making a comment of it: what
// [Recipe.Row] gives as RecordID, RecordDigest and Deleted.
func (r Recipe) Identity(raw []byte) (id string, digest []byte, deleted bool, err error) {
	x, err := r.Read(raw)
	return x.row.RecordID, x.row.RecordDigest, x.row.Deleted, err
}

// unreadable sets a record aside whose fields do not decode, if at least its Id does:
// without it nobody could say which record is missing.
func (r Recipe) unreadable(raw []byte, cause error) (store.StagedRow, error) {
	rec, err := salesforce.Decode(raw, nil)
	if err != nil {
		return store.StagedRow{}, fault.Wrap(fault.Internal, err, "read a staged record")
	}
	digest := sha256.Sum256(raw)
	row := store.StagedRow{RecordID: rec.ID, Stamp: NoStamp, RecordDigest: digest[:], TextDigest: digest[:]}
	if rec, err := salesforce.Decode(raw, Types{r.Stamp: salesforce.TypeDateTime}); err == nil {
		row.Stamp = r.stampOf(rec)
	}
	// A delete needs no field but its own.
	if rec, err := salesforce.Decode(raw, Types{PathDeleted: salesforce.TypeBoolean}); err == nil {
		row.Deleted, _ = rec.Bool(PathDeleted)
	}
	if !row.Deleted {
		row.Reason = cause.Error()
	}
	return row, nil
}

// Batches transforms staged batches.
type Batches struct {
	Store *store.Store
}

// Transform reads the sealed batch ref, makes comments of its records and stages
// them. It may be repeated; a batch that was applied already is left alone.
func (t Batches) Transform(ctx context.Context, ref flow.BatchRef) (flow.TransformResult, error) {
	result := flow.TransformResult{CleaningVersion: clean.Version}
	b, err := t.Store.LoadBatch(ctx, ref)
	if fault.Is(err, fault.NotFound) { // it could not be applied any more and was dropped
		return result, fault.Wrap(fault.Fenced, err, "batch %d of stream %d", ref.Seq, ref.Stream)
	}
	if err != nil {
		return result, err
	}
	switch b.State {
	case store.BatchApplied:
		return result, nil
	case store.BatchReading:
		return result, fault.New(fault.Fenced, "batch %d of stream %d is not sealed", ref.Seq, ref.Stream)
	}
	_, object, err := t.Store.LoadStreamTarget(ctx, ref.Stream)
	if err != nil {
		return result, err
	}
	if object.Epoch != ref.Epoch { // the plan is another one, or is not made yet
		return result, fault.New(fault.Fenced, "stream %d is at epoch %d, this work is of epoch %d", ref.Stream, object.Epoch, ref.Epoch)
	}
	var plan struct {
		Recipe Recipe `json:"recipe"`
	}
	if err := json.Unmarshal(object.Plan, &plan); err != nil || len(plan.Recipe.Types) == 0 {
		return result, fault.Wrap(fault.Internal, err, "read the plan of %s", object.Name)
	}
	sum := sha256.New()
	err = t.Store.StageRows(ctx, b, clean.Version, func(st *store.Staging) error {
		result.Comments, result.SetAside = 0, 0
		for chunk := range b.Chunks {
			raw, err := st.Chunk(chunk)
			if err != nil {
				return err
			}
			sum.Write(raw.Data)
			if err := t.chunk(st, plan.Recipe, raw.Data, func(row store.StagedRow) error {
				row.Chunk = chunk
				switch {
				case row.Comment != nil:
					result.Comments++
				case row.Reason != "":
					result.SetAside++
				}
				return st.Add(row)
			}); err != nil {
				return err
			}
		}
		if !bytes.Equal(sum.Sum(nil), b.Checksum) {
			return fault.New(fault.Internal, "batch %d of stream %d is not what was read: its checksum differs", ref.Seq, ref.Stream)
		}
		return nil
	})
	return result, err
}

// chunk makes the rows of one chunk. Records that miss something wait for the end, so
// that what is stored of them is read at once.
func (t Batches) chunk(st *store.Staging, r Recipe, lines []byte, add func(store.StagedRow) error) error {
	var waiting []Reading
	var ids []string
	if len(lines) > 0 && lines[0] == '"' {
		rows := csv.NewBytesReader(lines)
		h, err := rows.Header()
		if err != nil {
			return err
		}
		c, _ := r.Compile(h)
		for {
			row, err := rows.Next()
			if err != nil {
				if err == io.EOF {
					return nil
				}
				return err
			}
			x, err := c.read(row)
			if err != nil {
				return err
			}
			if err := add(r.Finish(x, nil)); err != nil {
				return err
			}
		}
	}
	for line := range bytes.Lines(lines) {
		x, err := r.Read(bytes.TrimSuffix(line, []byte{'\n'}))
		if err != nil {
			return err
		}
		if len(x.Missing) > 0 {
			waiting, ids = append(waiting, x), append(ids, x.row.RecordID)
			continue
		}
		if err := add(r.Finish(x, nil)); err != nil {
			return err
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	before, err := st.Kept(ids)
	if err != nil {
		return err
	}
	for _, x := range waiting {
		if err := add(r.Finish(x, before[x.row.RecordID])); err != nil {
			return err
		}
	}
	return nil
}
