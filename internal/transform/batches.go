package transform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"slices"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/csv"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// Batches transforms staged batches.
type Batches struct {
	Store *store.Store
}

// Transform reads the sealed batch ref, makes comments of its records and stages
// them. It may be repeated; a batch that was applied already is left alone.
func (t Batches) Transform(ctx context.Context, ref flow.BatchRef) (flow.TransformResult, error) {
	result := flow.TransformResult{CleaningVersion: clean.Version}
	b, err := t.Store.LoadBatch(ctx, ref)
	if fault.Is(err, fault.NotFound) { // it could not be applied any more and was dropped, or the database was restored
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
	reader := plan.Recipe.Reader()
	var sum hash.Hash // nil for a batch without chunks: all its rows were known
	err = t.Store.StageRows(ctx, b, clean.Version, func(st *store.Staging) error {
		result.Comments, result.SetAside, result.Truncated, sum = 0, 0, 0, nil
		for chunk := range b.Chunks {
			raw, err := st.Chunk(chunk)
			if err != nil {
				return err
			}
			if sum == nil {
				sum = store.Checksum(raw.Format)
			}
			sum.Write(raw.Data)
			if err := t.chunk(st, reader, raw, func(row store.StagedRow) error {
				row.Chunk = chunk
				switch {
				case row.Comment != nil:
					result.Comments++
					if _, cut := row.Comment.Properties["string:"+PropertyTruncated]; cut {
						result.Truncated++
					}
				case row.Reason != "":
					result.SetAside++
				}
				return st.Add(row)
			}); err != nil {
				return err
			}
		}
		if sum != nil && !bytes.Equal(sum.Sum(nil), b.Checksum) {
			return fault.New(fault.Internal, "batch %d of stream %d is not what was read: its checksum differs", ref.Seq, ref.Stream)
		}
		return nil
	})
	return result, err
}

// chunk makes the rows of one chunk. Records that miss something wait for the end, so
// that what is stored of them is read at once.
func (t Batches) chunk(st *store.Staging, r *Reader, chunk store.Chunk, add func(store.StagedRow) error) error {
	var waiting []Reading
	var ids []string
	err := r.each(chunk, nil, func(x Reading) error {
		if len(x.Missing) > 0 {
			waiting, ids = append(waiting, x), append(ids, x.row.RecordID)
			return nil
		}
		return add(r.Finish(x, nil))
	})
	if err != nil || len(waiting) == 0 {
		return err
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

// each reads the records of a chunk. wants, unless it is nil, spares the decoding of a row of
// CSV by what stands in its Id.
func (r *Reader) each(chunk store.Chunk, wants func(id string) bool, do func(Reading) error) error {
	if chunk.Format != store.FormatCSV {
		for line := range bytes.Lines(chunk.Data) {
			x, err := r.Read(bytes.TrimSuffix(line, []byte{'\n'}))
			if err != nil {
				return err
			}
			if err := do(x); err != nil {
				return err
			}
		}
		return nil
	}
	rows := csv.NewBytesReader(chunk.Data)
	header, err := rows.Header()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "read a staged chunk")
	}
	columns, err := r.Columns(header)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "read a staged chunk")
	}
	id := slices.Index(header, PathID)
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.Wrap(fault.Internal, err, "read a staged chunk")
		}
		if wants != nil && !wants(row.Text(id)) {
			continue
		}
		x, err := columns.Read(row)
		if err != nil {
			return err
		}
		if err := do(x); err != nil {
			return err
		}
	}
}
