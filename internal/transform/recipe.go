package transform

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"

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

// Recipe is what is needed to read the records of one object and to make comments
// of them. It is stored with the object (in its plan) as JSON.
type Recipe struct {
	Stamp   string  `json:"stamp"` // the path of the cursor, e.g. SystemModstamp
	Types   Types   `json:"types"` // of every selected path
	Mapping Mapping `json:"mapping"`
}

// Row makes the staged row of one record as Salesforce gave it. The record's
// stamp must be there; anything else that is wrong becomes the row's reason.
func (r Recipe) Row(raw []byte) (store.StagedRow, error) {
	if bytes.Contains(raw, verdictKey) {
		return r.verdict(raw)
	}
	rec, err := salesforce.Decode(raw, r.Types)
	if err != nil {
		return r.unreadable(raw, err)
	}
	stamp, ok := rec.Time(r.Stamp)
	if !ok {
		return store.StagedRow{}, fault.New(fault.Internal, "record %s has no %s", rec.ID, r.Stamp)
	}
	row := store.StagedRow{RecordID: rec.ID, Stamp: stamp}
	row.RecordDigest, row.TextDigest = r.digest(rec), r.textDigest(rec)
	if deleted, _ := rec.Bool(PathDeleted); deleted {
		row.Deleted = true
		return row, nil
	}
	c, err := Comment(rec, r.Mapping, r.Types)
	if err != nil {
		row.Reason = err.Error()
		return row, nil //nolint:nilerr // set aside with its reason
	}
	row.Comment = c
	return row, nil
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
	stamp, ok := rec.Time(r.Stamp)
	if !ok {
		return store.StagedRow{}, fault.New(fault.Internal, "the verdict on record %s has no %s", rec.ID, r.Stamp)
	}
	digest := sha256.Sum256(raw)
	row := store.StagedRow{RecordID: rec.ID, Stamp: stamp, RecordDigest: digest[:], TextDigest: digest[:]}
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
func (r Recipe) digest(rec salesforce.Record) []byte {
	values := rec.Digest(r.Mapping.Paths())
	mapping, err := json.Marshal(r.Mapping)
	if err != nil {
		panic(err) // strings and bools always encode
	}
	sum := sha256.Sum256(append(values[:], mapping...))
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

// unreadable sets a record aside whose fields do not decode, if at least its Id and
// stamp do: without those nobody could say which record is missing.
func (r Recipe) unreadable(raw []byte, cause error) (store.StagedRow, error) {
	rec, err := salesforce.Decode(raw, Types{r.Stamp: salesforce.TypeDateTime})
	if err != nil {
		return store.StagedRow{}, fault.Wrap(fault.Internal, err, "read a staged record")
	}
	stamp, ok := rec.Time(r.Stamp)
	if !ok {
		return store.StagedRow{}, fault.Wrap(fault.Internal, cause, "record %s has no %s", rec.ID, r.Stamp)
	}
	digest := sha256.Sum256(raw)
	row := store.StagedRow{RecordID: rec.ID, Stamp: stamp, RecordDigest: digest[:], TextDigest: digest[:]}
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
	if object.Epoch != ref.Epoch {
		return result, fault.New(fault.Fenced, "stream %d is at epoch %d, this work is of epoch %d", ref.Stream, object.Epoch, ref.Epoch)
	}
	var plan struct {
		Recipe Recipe `json:"recipe"`
	}
	if err := json.Unmarshal(object.Plan, &plan); err != nil || plan.Recipe.Stamp == "" {
		return result, fault.Wrap(fault.Internal, err, "read the plan of %s", object.Name)
	}
	sum := sha256.New()
	err = t.Store.StageRows(ctx, b, clean.Version, func(add func(store.StagedRow) error) error {
		result.Comments, result.SetAside = 0, 0
		for chunk := range b.Chunks {
			lines, err := t.Store.ReadChunk(ctx, b, chunk)
			if err != nil {
				return err
			}
			sum.Write(lines)
			for line := range bytes.Lines(lines) {
				row, err := plan.Recipe.Row(bytes.TrimSuffix(line, []byte{'\n'}))
				if err != nil {
					return err
				}
				row.Chunk = chunk
				switch {
				case row.Comment != nil:
					result.Comments++
				case row.Reason != "":
					result.SetAside++
				}
				if err := add(row); err != nil {
					return err
				}
			}
		}
		if !bytes.Equal(sum.Sum(nil), b.Checksum) {
			return fault.New(fault.Internal, "batch %d of stream %d is not what was read: its checksum differs", ref.Seq, ref.Stream)
		}
		return nil
	})
	return result, err
}
