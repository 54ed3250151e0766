package transform

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"unicode/utf8"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/csv"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

// Explanation says how the text of a comment came about, by the cleaning and the mapping of
// today. It is worked out of the raw copy each time, and never stored.
type Explanation struct {
	Object, RecordID string
	Version          int    // of the cleaning that explains
	InForce          int    // cleaning version of the stored text; 0 = there is none
	Same             bool   // what is explained is the stored text
	Mail             bool   // the text was taken apart
	Text             string // all of it, clean; spans point into it
	Reply            string
	Signature        string
	Spans            []clean.Span
}

// Characters is the spans counted in characters of the text (Unicode code points) instead of bytes.
func (e Explanation) Characters() []clean.Span {
	out := make([]clean.Span, len(e.Spans))
	at, count := 0, 0
	to := func(offset int) int {
		count += utf8.RuneCountInString(e.Text[at:offset])
		at = offset
		return count
	}
	for i, s := range e.Spans { // in the order of the text
		s.Start, s.End = to(s.Start), to(s.End)
		out[i] = s
	}
	return out
}

// RecordOf is the Id of the record that a comment was made of; "" for comments of others.
func RecordOf(commentID string) string {
	id, err := hex.DecodeString(commentID)
	if err != nil || len(id) != 18 || salesforce.To18(string(id)) != string(id) {
		return ""
	}
	return string(id)
}

// Records is where the record of a comment and its raw copy are kept; *store.Store is one.
type Records interface {
	StoredRecordOf(ctx context.Context, sourceID, recordID string) (object string, record store.StoredRecord, err error)
	ObjectPlan(ctx context.Context, sourceID, object string) ([]byte, error)
	RawReader(ctx context.Context, sourceID, object string) *store.RawReader
}

// ExplainComment explains the text of a comment that is there. fault.NotFound when it was made of no record,
// or there is no raw copy any more.
func ExplainComment(ctx context.Context, s Records, sourceID, commentID string) (Explanation, store.StoredRecord, error) {
	object, record, err := originOf(ctx, s, sourceID, commentID)
	if err != nil {
		return Explanation{}, record, err
	}
	plan, err := s.ObjectPlan(ctx, sourceID, object)
	if err != nil {
		return Explanation{}, record, err
	}
	e, err := Explain(plan, s.RawReader(ctx, sourceID, object), record)
	e.Object = object
	return e, record, err
}

// originOf is the record that a comment was made of, and its object.
func originOf(ctx context.Context, s Records, sourceID, commentID string) (object string, record store.StoredRecord, err error) {
	missing := fault.New(fault.NotFound, "comment %.100q was made of no record", commentID)
	recordID := RecordOf(commentID)
	if recordID == "" {
		return "", record, missing
	}
	object, record, err = s.StoredRecordOf(ctx, sourceID, recordID)
	if fault.Is(err, fault.NotFound) { // its id looks like one, and it was written through the API
		err = missing
	}
	return object, record, err
}

// Explain explains the text that a record's raw copy gives. fault.NotFound when it has none any more.
func Explain(plan json.RawMessage, raw *store.RawReader, record store.StoredRecord) (Explanation, error) {
	out := Explanation{RecordID: record.ID, Version: clean.Version, InForce: record.Version}
	recipe, err := RecipeOf(plan)
	if err != nil {
		return out, err
	}
	chunk, ok, err := raw.Chunk(record.Raw)
	if err != nil {
		return out, err
	}
	again := &Again{reader: recipe.Reader()}
	found := false
	if ok {
		err = again.reader.pick(chunk, map[string]store.StoredRecord{record.ID: record}, func(x Reading) {
			found = true
			m := recipe.Mapping
			out.Mail = m.Mail
			if m.Mail {
				split := clean.Split(mailOf(x.rec, m))
				out.Text, out.Spans = split.Text, split.Spans
			} else {
				out.Text = body(x.rec, m.Body)
			}
			out.Reply, out.Signature = texts(x.rec, m)
		})
		if err != nil {
			return out, err
		}
	}
	if !found {
		return out, noRaw(record.ID)
	}
	counts, err := again.Records(raw, []store.StoredRecord{record}, func(Change) error { return nil })
	out.Same = record.HasComment && counts.TextChanged+counts.Created+counts.SetAside == 0
	return out, err
}

func noRaw(recordID string) error {
	return fault.New(fault.NotFound, "there is no raw copy of record %s any more", recordID).
		WithHint("raw_retention in the integration file says how long they are kept; `starter resync` asks Salesforce for what has changed")
}

// RawOf is a record as Salesforce gave it: JSON of the REST API as it came, or the cells of the
// Bulk API under their names. fault.NotFound when there is no raw copy any more.
func RawOf(raw *store.RawReader, record store.StoredRecord) (json.RawMessage, error) {
	chunk, ok, err := raw.Chunk(record.Raw)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noRaw(record.ID)
	}
	if chunk.Format != store.FormatCSV {
		for line := range bytes.Lines(chunk.Data) {
			var is struct {
				ID string `json:"Id"`
			}
			if err := json.Unmarshal(line, &is); err != nil {
				return nil, fault.Wrap(fault.Internal, err, "read a raw copy")
			}
			if salesforce.To18(is.ID) == record.ID {
				return bytes.TrimSpace(line), nil
			}
		}
		return nil, noRaw(record.ID)
	}
	rows := csv.NewBytesReader(chunk.Data)
	header, err := rows.Header()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "read a raw copy")
	}
	id := slices.Index(header, PathID)
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return nil, noRaw(record.ID)
		}
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "read a raw copy")
		}
		if salesforce.To18(row.Text(id)) != record.ID {
			continue
		}
		cells := make(map[string]string, len(header))
		for i, name := range header {
			cells[name] = row.Text(i)
		}
		return json.Marshal(cells)
	}
}
