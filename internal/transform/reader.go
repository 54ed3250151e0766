package transform

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

// Reader is a recipe made ready for many records. It is for one goroutine at a time.
type Reader struct {
	recipe Recipe
	shape  *salesforce.Shape
	paths  []string             // of the mapping, sorted
	texts  *salesforce.Digester // of the paths that feed texts
	others *salesforce.Digester // of the mapping's other paths
	// The mapping, and what of it decides about texts, as they go into digests.
	mapping, roles []byte
	scratch        []byte
}

// Reader makes the recipe ready.
func (r Recipe) Reader() *Reader {
	m := r.Mapping
	out := &Reader{recipe: r, shape: r.Types.Shape(), paths: m.Paths()}
	texts := m.TextPaths()
	out.texts = salesforce.NewDigester(texts)
	out.others = salesforce.NewDigester(slices.DeleteFunc(slices.Clone(out.paths), func(path string) bool { return slices.Contains(texts, path) }))
	var err error
	if out.mapping, err = json.Marshal(m); err != nil {
		panic(err) // strings and bools always encode
	}
	if out.roles, err = json.Marshal(Mapping{Subject: m.Subject, Body: m.Body, Chat: m.Chat, Signature: m.Signature}); err != nil {
		panic(err)
	}
	return out
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

// Row is [Recipe.Row]: Read and Finish for a record of which nothing is stored.
func (r *Reader) Row(raw []byte) (store.StagedRow, error) {
	x, err := r.Read(raw)
	if err != nil {
		return x.row, err
	}
	return r.Finish(x, nil), nil
}

// Read decodes one record as Salesforce gave it in JSON.
func (r *Reader) Read(raw []byte) (Reading, error) {
	if bytes.Contains(raw, verdictKey) {
		row, err := r.verdict(raw)
		return Reading{row: row, done: true}, err
	}
	read := func(types Types) (salesforce.Record, error) { return salesforce.Decode(raw, types) }
	rec, err := r.shape.Decode(raw)
	if err != nil {
		return r.unreadable(raw, read, err)
	}
	recipients, err := recipientsOf(raw)
	if err != nil {
		return Reading{}, fault.Wrap(fault.Internal, err, "read the recipients of %s", rec.ID)
	}
	return r.reading(raw, read, rec, recipients)
}

// reading is what Read makes of a record that was decoded. raw is the record as it came, and read
// decodes it once more, with some fields only.
func (r *Reader) reading(raw []byte, read func(Types) (salesforce.Record, error), rec salesforce.Record, recipients Recipients) (Reading, error) {
	if r.recipe.Stamp != "" && !rec.Has(r.recipe.Stamp) {
		return r.unreadable(raw, read, fault.New(fault.Record, "it came without its %s", r.recipe.Stamp))
	}
	x := Reading{rec: rec, recipients: recipients, row: store.StagedRow{RecordID: rec.ID, Stamp: r.stampOf(rec)}}
	texts := r.texts.Sum(rec) // once for both digests: it is most of the record
	x.row.RecordDigest, x.row.TextDigest = r.digest(texts, rec, recipients), r.textDigest(texts)
	if deleted, _ := rec.Bool(PathDeleted); deleted {
		x.row.Deleted, x.done = true, true
		return x, nil
	}
	for _, p := range r.paths {
		if !rec.Has(p) {
			x.Missing = append(x.Missing, p)
		}
	}
	return x, nil
}

// Finish makes the staged row of a reading. before is what is stored of the record, nil
// for nothing; it is looked at only when the reading misses something.
func (r *Reader) Finish(x Reading, before *store.Kept) store.StagedRow {
	if x.done {
		return x.row
	}
	row := x.row
	var err error
	if len(x.Missing) == 0 {
		row.Comment, err = Comment(x.rec, r.recipe.Mapping, r.recipe.Types)
	} else {
		row.Comment, row.TextKept, err = r.keep(x, before)
	}
	if err == nil {
		x.recipients.add(&row.Comment.Messages[0])
		r.recipe.Mapping.derive(row.Comment)
	}
	if err != nil {
		row.Comment, row.TextKept, row.Reason = nil, false, err.Error() // set aside with its reason
	}
	return row
}

// verdictKey cannot stand inside a value: there its quotes would be escaped.
var verdictKey = []byte(`"` + PathVerdict + `":`)

// verdict makes the row of a line that tells what became of a record.
func (r *Reader) verdict(raw []byte) (store.StagedRow, error) {
	var line struct {
		Verdict string `json:"_verdict"`
	}
	if err := json.Unmarshal(raw, &line); err != nil {
		return store.StagedRow{}, fault.Wrap(fault.Internal, err, "read a staged verdict")
	}
	rec, err := salesforce.Decode(raw, Types{r.recipe.Stamp: salesforce.TypeDateTime})
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
func (r *Reader) digest(texts [32]byte, rec salesforce.Record, recipients Recipients) []byte {
	others := r.others.Sum(rec)
	all := append(append(append(r.scratch[:0], texts[:]...), others[:]...), r.mapping...)
	if !recipients.IsZero() { // else the digest is that of a record that cannot have any
		more, err := json.Marshal(recipients)
		if err != nil {
			panic(err) // lists of strings always encode
		}
		all = append(all, more...)
	}
	r.scratch = all
	sum := sha256.Sum256(all)
	return sum[:]
}

// textDigest covers the values that feed subject, body and signature, and which feeds
// which: a mapping that swaps two of them changes the text.
func (r *Reader) textDigest(texts [32]byte) []byte {
	r.scratch = append(append(r.scratch[:0], texts[:]...), r.roles...)
	sum := sha256.Sum256(r.scratch)
	return sum[:]
}

// stampOf is the record's version in time.
func (r *Reader) stampOf(rec salesforce.Record) time.Time {
	if stamp, ok := rec.Time(r.recipe.Stamp); ok {
		return stamp
	}
	return NoStamp
}

// unreadable sets a record aside whose fields do not decode, if at least its Id does:
// without it nobody could say which record is missing.
func (r *Reader) unreadable(raw []byte, read func(Types) (salesforce.Record, error), cause error) (Reading, error) {
	rec, err := read(nil)
	if err != nil {
		return Reading{}, fault.Wrap(fault.Internal, err, "read a staged record")
	}
	digest := sha256.Sum256(raw)
	row := store.StagedRow{RecordID: rec.ID, Stamp: NoStamp, RecordDigest: digest[:], TextDigest: digest[:]}
	if rec, err := read(Types{r.recipe.Stamp: salesforce.TypeDateTime}); err == nil {
		row.Stamp = r.stampOf(rec)
	}
	// A delete needs no field but its own.
	if rec, err := read(Types{PathDeleted: salesforce.TypeBoolean}); err == nil {
		row.Deleted, _ = rec.Bool(PathDeleted)
	}
	if !row.Deleted {
		row.Reason = cause.Error()
	}
	return Reading{row: row, done: true}, nil
}
