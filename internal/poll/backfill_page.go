package poll

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"salesforcesync/internal/csv"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// Bounds of a page of a backfill.
const (
	mostRows   = 50_000
	guessBytes = 8 << 10 // of a row, while nobody knows
	groupBytes = 2 << 20 // of rows that are looked up together
	sentBytes  = 4 << 20 // of mails whose recipients are asked for together
	groupRows  = 1_000
	// mostDamaged is how many readings of a page whose text is not UTF-8 are not believed.
	mostDamaged = 2
	// pagesTogether is how many pages without anything to stage are one batch: such a page takes less
	// time than the steps between two batches. It is also how many are read again after a crash.
	pagesTogether = 5
)

// partPage reads the next page of a part of a backfill. When there is nothing to read
// any more, because the part's job was lost, the batch stays unsealed.
func (r *reading) partPage(ctx context.Context) error {
	p := *r.object.Part
	if p.State != store.PartReady || p.Finished {
		return nil
	}
	last, err := r.service.Store.LastPage(ctx, p)
	if err != nil {
		return err
	}
	if p.API == store.PartREST {
		return r.restPage(ctx, p, last)
	}
	return r.bulkPage(ctx, p, last)
}

// bulkPage reads a page of the part's job as it streams in: rows go into chunks as they
// are, and no more of them is held than a chunk and a group of rows. Behind a page with
// nothing to stage it goes on with the next.
func (r *reading) bulkPage(ctx context.Context, p store.Part, last store.LastPage) error {
	if p.Processed == 0 { // there is nothing to ask for, and some answers to that are those of a job that is not complete
		r.seal.Final, r.seal.ReadBegin, r.seal.ReadEnd, r.seal.ServerTime = true, p.ReadBegin, p.ReadEnd, p.ServerTime
		return nil
	}
	size, err := r.pageRows(ctx, p)
	if err != nil {
		return err
	}
	next := last.Next
	for pages := 1; ; pages++ {
		if next, err = r.resultPage(ctx, p, next, size); err != nil {
			if salesforce.JobGone(err) {
				r.seal = store.Seal{} // pages of a job that is gone do not count
				return r.service.Store.JobLost(ctx, p, 0)
			}
			return err
		}
		if next == "" || r.seal.Chunks > 0 || pages == pagesTogether {
			break
		}
	}
	if all := last.Rows + r.seal.Fetched; next == "" && all != p.Processed {
		if err := r.service.Store.JobLost(ctx, p, 0); err != nil {
			return err
		}
		return fault.New(fault.Transient, "bulk job %s of %s gave %d rows of %d", p.JobID, r.plan.Object, all, p.Processed).
			WithHint("its part is asked for again; what it gave is kept")
	}
	r.seal.Final, r.seal.More, r.seal.NextLocator = next == "", next != "", next
	// Its rows are of some moment between the asking for the job and its completion, whenever they are fetched.
	r.seal.ReadBegin, r.seal.ReadEnd, r.seal.ServerTime = p.ReadBegin, p.ReadEnd, p.ServerTime
	return nil
}

// resultPage stages a page of the part's job. next is where the one behind it begins, "" when it is the last.
func (r *reading) resultPage(ctx context.Context, p store.Part, at string, size int) (next string, err error) {
	if err := r.service.Store.Gate(ctx, r.ref.Stream, r.ref.Epoch); err != nil {
		return "", err
	}
	r.calls++
	err = r.org.JobResults(ctx, p.JobID, at, size, func(res salesforce.Results) error {
		next = res.Next
		if r.batch.Attempt > mostDamaged {
			res.TakeDamaged()
		}
		return r.results(ctx, res)
	})
	return next, err
}

// pageRows is how many rows the part's pages have: by how long rows were so far.
func (r *reading) pageRows(ctx context.Context, p store.Part) (int, error) {
	if p.PageRows > 0 {
		return p.PageRows, nil
	}
	length, err := r.service.Store.RowBytes(ctx, p.Backfill)
	if err != nil {
		return 0, err
	}
	if length == 0 {
		length = guessBytes
	}
	// Twice a batch of the live lane: there is nobody who waits for the first row of it.
	return r.service.Store.ChoosePage(ctx, p, int(min(max(2*r.service.batchBytes()/length, 1), mostRows)))
}

// results stages the rows of one answer.
func (r *reading) results(ctx context.Context, res salesforce.Results) error {
	before := r.seal.Fetched
	rows := csv.NewReader(res.Body, csv.Options{})
	header, err := rows.Header()
	if errors.Is(err, io.EOF) && res.Records <= 0 {
		return nil // a job without rows may have no body at all
	}
	if err != nil {
		return err
	}
	s, err := newPageStage(r, header)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer s.leave()
	defer cancel()
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		r.seal.Fetched++
		if err := s.row(ctx, row); err != nil {
			return err
		}
	}
	if n := r.seal.Fetched - before; res.Records >= 0 && int64(res.Records) != n {
		return fault.New(fault.Transient, "a page of %s has %d rows of %d", r.plan.Object, n, res.Records)
	}
	return s.end(ctx)
}

// pageStage brings the rows of a page into chunks. Rows of mails that were sent are
// gathered until their recipients are asked for, others until they are looked up, if the
// store may have them.
type pageStage struct {
	*reading
	id              int // columns; -1: there is none
	incoming, gone  int
	compiled        *transform.Compiled
	rows, sent      group
	lookUp, related bool

	asked  group        // mails that were sent, while Salesforce is asked for their recipients
	answer chan related // what it says of them; nil = nothing is asked
}

// related is what Salesforce says of the recipients of some mails.
type related struct {
	found map[string]transform.Recipients
	err   error
}

// group is some rows as they are, each with its line end, behind their header.
type group struct {
	header []byte
	raw    []byte
	ids    []string
}

func (g *group) add(id string, raw []byte, more string) {
	if len(g.raw) == 0 {
		g.raw = append(g.raw, g.header...)
	}
	g.raw = append(g.raw, raw...)
	g.raw = append(g.raw, more...)
	g.raw = append(g.raw, '\n')
	g.ids = append(g.ids, id)
}

func (g *group) full() bool { return len(g.raw) >= groupBytes || len(g.ids) >= groupRows }

// plenty is full where a call to Salesforce follows.
func (g *group) plenty() bool { return len(g.raw) >= sentBytes || len(g.ids) >= groupRows }

func (g *group) reset() { g.raw, g.ids = g.raw[:0], g.ids[:0] }

func newPageStage(r *reading, header []string) (*pageStage, error) {
	column := func(name string) int {
		return slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(h, name) })
	}
	s := &pageStage{reading: r, id: column(transform.PathID), incoming: column(mailIncoming), gone: column(transform.PathDeleted),
		lookUp: r.object.Backfill.Known, related: r.plan.Recipients != nil}
	if s.id < 0 {
		return nil, fault.New(fault.Transient, "the result of %s has no column Id", r.plan.Object)
	}
	s.sent.header, s.asked.header = line(header), line(header)
	if s.related {
		header = append(slices.Clone(header), transform.PathRecipients)
	}
	s.rows.header = line(header)
	if s.lookUp {
		var err error
		if s.compiled, err = r.plan.Recipe.Compile(header); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// line is a header as a line of CSV.
func line(names []string) []byte {
	var out []byte
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = csv.AppendCell(out, name)
	}
	return append(out, '\n')
}

// row takes the next row in.
func (s *pageStage) row(ctx context.Context, row csv.Row) error {
	id := salesforce.To18(row.Text(s.id))
	if id == "" {
		return fault.New(fault.Transient, "a row of %s has no Salesforce Id", s.plan.Object)
	}
	if s.seen[id] {
		return nil
	}
	s.seen[id] = true
	if s.related && s.incoming >= 0 && string(row.Bytes(s.incoming)) == "false" && (s.gone < 0 || string(row.Bytes(s.gone)) != "true") {
		s.sent.add(id, row.Raw(), "")
		if s.sent.plenty() {
			return s.relate(ctx)
		}
		return nil
	}
	more := ""
	if s.related {
		more = `,""`
	}
	return s.take(ctx, id, row.Raw(), more)
}

// take brings a row, and what follows it in its line, into a chunk, or gathers it until it is looked up.
func (s *pageStage) take(ctx context.Context, id string, raw []byte, more string) error {
	if !s.lookUp {
		return s.keep(ctx, id, raw, more)
	}
	s.rows.add(id, raw, more)
	if s.rows.full() {
		return s.stage(ctx)
	}
	return nil
}

// keep brings a row into a chunk.
func (s *pageStage) keep(ctx context.Context, id string, raw []byte, more string) error {
	s.count(len(raw) + len(more))
	if s.chunk.Len() == 0 {
		s.chunk.Grow(chunkBytes + guessBytes) // what grows by and by is copied each time
		s.chunk.Write(s.rows.header)
	}
	s.chunk.Write(raw)
	s.chunk.WriteString(more)
	s.chunk.WriteByte('\n')
	s.ids = append(s.ids, id)
	if s.chunk.Len() >= chunkBytes {
		return s.flushCSV(ctx)
	}
	return nil
}

// count counts a row of so many bytes as read.
func (s *pageStage) count(length int) {
	s.seal.Rows++
	s.seal.Bytes += int64(length + 1)
}

// end stages what is left.
func (s *pageStage) end(ctx context.Context) error {
	if err := s.relate(ctx); err != nil {
		return err
	}
	if err := s.put(ctx); err != nil {
		return err
	}
	if err := s.stage(ctx); err != nil {
		return err
	}
	return s.flushCSV(ctx)
}

// relate asks for the recipients of the mails that were sent. Reading goes on meanwhile, so it first
// puts those that were asked for before with their rows.
func (s *pageStage) relate(ctx context.Context) error {
	if err := s.put(ctx); err != nil || len(s.sent.ids) == 0 {
		return err
	}
	s.asked, s.sent = s.sent, s.asked
	ids, answer := s.asked.ids, make(chan related, 1)
	s.answer = answer
	go func() {
		found, err := s.relations(ctx, ids)
		answer <- related{found, err}
	}()
	return nil
}

// leave waits for what is asked and drops it. Nobody may ask beside the next page.
func (s *pageStage) leave() {
	if s.answer != nil {
		<-s.answer
	}
}

// put waits for the recipients that were asked for, and puts them with their rows.
func (s *pageStage) put(ctx context.Context) error {
	if s.answer == nil {
		return nil
	}
	said := <-s.answer
	s.answer = nil
	if said.err != nil {
		return said.err
	}
	rows := csv.NewBytesReader(s.asked.raw)
	for _, id := range s.asked.ids {
		row, err := rows.Next()
		if err != nil {
			return fault.Wrap(fault.Internal, err, "read a gathered row of %s", s.plan.Object)
		}
		cell := ""
		if recipients, ok := said.found[id]; ok {
			value, err := json.Marshal(recipients)
			if err != nil {
				return fault.Wrap(fault.Internal, err, "write the recipients of %s", id)
			}
			cell = string(value)
		}
		if err := s.take(ctx, id, row.Raw(), string(csv.AppendCell([]byte{','}, cell))); err != nil {
			return err
		}
	}
	s.asked.reset()
	return nil
}

// stage looks the gathered rows up and brings them into chunks, except those that are the stored ones to
// the letter, of which the object is known to be complete: they would change nothing.
func (s *pageStage) stage(ctx context.Context) error {
	if len(s.rows.ids) == 0 {
		return nil
	}
	known, err := s.service.Store.Known(ctx, s.target.SourceID, s.object.Name, s.rows.ids)
	if err != nil {
		return err
	}
	rows := csv.NewBytesReader(s.rows.raw)
	for _, id := range s.rows.ids {
		row, err := rows.Next()
		if err != nil {
			return fault.Wrap(fault.Internal, err, "read a gathered row of %s", s.plan.Object)
		}
		if k, ok := known[id]; ok && s.same(k, row) {
			s.count(len(row.Raw()))
			s.seal.Skipped++
			continue
		}
		if err := s.keep(ctx, id, row.Raw(), ""); err != nil {
			return err
		}
	}
	s.rows.reset()
	return nil
}

// same reports whether a row is the stored record to the letter, and no second version
// with its stamp can turn up any more.
func (s *pageStage) same(k store.KnownRecord, row csv.Row) bool {
	if !k.Live || k.Stamp.After(s.object.VerifiedTo) {
		return false
	}
	id, err := s.compiled.Identity(row)
	return err == nil && !id.Deleted && id.Stamp.Equal(k.Stamp) && bytes.Equal(id.RecordDigest, k.RecordDigest) && bytes.Equal(id.TextDigest, k.TextDigest)
}

func (s *pageStage) flushCSV(ctx context.Context) error {
	if len(s.ids) == 0 {
		return nil
	}
	s.sum.Write(s.chunk.Bytes())
	if err := s.service.Store.AddChunk(ctx, s.batch, store.Chunk{Number: s.seal.Chunks, Format: store.FormatCSV, IDs: s.ids, Data: s.chunk.Bytes()}); err != nil {
		return err
	}
	s.seal.Chunks++
	s.chunk.Reset()
	s.ids = nil
	return nil
}

// restPage reads the next rows of a part that Bulk refuses, in Id order.
func (r *reading) restPage(ctx context.Context, p store.Part, last store.LastPage) error {
	limit, at := pageRows, last.Next
	for {
		q, err := r.plan.rangeQuery(r.object.Backfill, p, r.plan.Fields, afterID(at), byID, limit)
		if err != nil {
			return err
		}
		page, err := r.ask(ctx, q)
		if (salesforce.TooBroad(err) || salesforce.TooBroad(errors.Unwrap(err))) && limit > 1 {
			limit /= 4
			limit = max(limit, 1)
			continue
		}
		if err != nil {
			return err
		}
		n := len(page.Rows)
		rows, err := r.withRecipients(ctx, page.Rows)
		if err != nil {
			return err
		}
		for _, row := range rows {
			one, err := r.add(ctx, row)
			if err != nil {
				return err
			}
			at = one.ID
		}
		r.seal.Fetched += int64(n)
		r.seal.NextLocator = at
		if page.Done && page.TotalSize < limit && n >= page.TotalSize {
			r.seal.Final, r.seal.NextLocator = true, ""
			return nil
		}
		if n == 0 {
			return fault.New(fault.Transient, "query %s: a page without rows that is not the last", r.plan.Object)
		}
		if r.seal.Bytes >= r.service.batchBytes() || r.seal.Rows >= maxBatchRows || r.calls >= maxAsks {
			r.seal.More = true
			return nil
		}
	}
}
