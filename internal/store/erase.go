package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/csv"
	"salesforcesync/internal/fault"
)

const (
	// eraseTexts is how many comments lose their text in one transaction.
	eraseTexts = 1000
	// eraseAgain is when records are looked for again whose raw copies are in a batch
	// that is still under way.
	eraseAgain = time.Minute
	// eraseSoonBatches bounds what one Upsert erases right after it committed; eraseSoonChunks is how many raw
	// chunks there may be for it to look through them. The rest is done between looks for news.
	eraseSoonBatches = 8
	eraseSoonChunks  = 5000
)

// emptied is what is left of an erased comment: its id, its time and the number of its last
// revision, so that the same record made anew is billed as the creation it is. A hash
// could be compared with a guess.
const emptied = ` erased = true, deleted_at = coalesce(c.deleted_at, now()), last_modified = now(), changed = pg_current_xact_id(),
	thread_id = null, envelope = '[]', properties = '{}', text_format = '', attachments = null, text_hash = '', content_hash = '' `

// eraseGone empties the comments of the records in the CTE gone (record_id, comment_id,
// read_end), and asks for their raw copies to be removed.
const eraseGone = `,
	bare as (
		update records r set state = 'erased', record_digest = '', text_digest = '',
			raw_stream = null, raw_epoch = null, raw_seq = null, raw_chunk = null, updated_at = now()
		from gone g where r.source_id = @source and r.object = @object and r.record_id = g.record_id
	), texts as (
		delete from revisions v using gone g where v.source_id = @source and v.comment_id = g.comment_id
	), reasons as (
		delete from set_aside a using gone g where a.source_id = @source and a.object = @object and a.record_id = g.record_id
	), comment as (
		update comments c set` + emptied + `
		from gone g where c.source_id = @source and c.id = g.comment_id and not c.erased
	)
	insert into erasures as e (source_id, object, record_id, read_end)
	select @source, @object, g.record_id, g.read_end from gone g
	on conflict (source_id, object, record_id) do update set read_end = greatest(e.read_end, excluded.read_end), not_before = now()`

// eraseRows erases the records that a batch found deleted. Rows that merely repeat it, and
// older versions that came late, brought their text once more.
const eraseRows = `
	with gone as (
		select o.record_id, o.comment_id, b.read_end
		from outcomes o cross join batches b
		where (b.stream_id, b.epoch, b.seq) = (@stream, @epoch, @seq) and o.gone
	)` + eraseGone

// eraseDeleted erases records that were deleted before their object's policy was erase.
const eraseDeleted = `
	with gone as (
		select r.record_id, r.comment_id, e.read_end
		from erasures e
		join records r on r.source_id = e.source_id and r.object = e.object and r.record_id = e.record_id
		where e.source_id = @source and e.object = @object and r.state = 'deleted'
		order by r.record_id limit @limit for update of r
	)` + eraseGone

// askErasures asks for the deleted records of an object to be erased.
const askErasures = `
	insert into erasures (source_id, object, record_id, read_end)
	select source_id, object, record_id, nextval('read_order') from records
	where source_id = $1 and object = $2 and state = 'deleted'
	on conflict do nothing`

// erasable is true of a chunk's record h.id (of batch b) that is to be erased by e: all
// versions of a record that stays erased, and of one that came back those that were read before, but never the copy
// it stands on.
const erasable = ` e.record_id is not null and (r.record_id is null or r.state = 'erased'
	or b.read_begin <= e.read_end and (b.stream_id, b.epoch, b.seq) is distinct from (r.raw_stream, r.raw_epoch, r.raw_seq)) `

// heldCopies joins what erasable looks at. h.id is null for a chunk that does not say what it holds.
const heldCopies = `
	from streams st
	join batches b on b.stream_id = st.id
	join raw_chunks k on (k.stream_id, k.epoch, k.seq) = (b.stream_id, b.epoch, b.seq)
	cross join lateral unnest(coalesce(k.ids, '{null}')) as h (id)
	left join erasures e on e.source_id = @source and e.object = @object and e.record_id = h.id
	left join records r on r.source_id = @source and r.object = @object and r.record_id = e.record_id
	where st.integration_id = @integration and st.object = @object `

// DropFenced removes what batches of an integration left behind that can never be applied:
// they were planned for another epoch, or were passed over. Nothing points to their raw
// copies.
func (s *Store) DropFenced(ctx context.Context, integrationID string) error {
	return s.inTx(ctx, "drop fenced batches", func(tx pgx.Tx) error {
		// Batches first: without its row nobody can stage for it any more.
		if _, err := tx.Exec(ctx, `
			delete from batches b using streams st
			where st.integration_id = $1 and b.stream_id = st.id and b.state <> 'applied' and (b.epoch < st.epoch or b.seq <= st.seq)`,
			integrationID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			delete from staged s using streams st
			where st.integration_id = $1 and s.stream_id = st.id and (s.epoch < st.epoch or s.seq <= st.seq)`, integrationID)
		return err
	})
}

// Erase goes on with erasing what was deleted in Salesforce under the policy erase: texts
// where the policy came after the delete, and raw copies. It rewrites at most limit batches and
// reports whether there is more that can be done now. It may be repeated, ended anywhere, and
// run beside anything. A copy in a batch that is not applied yet waits for it.
func (s *Store) Erase(ctx context.Context, integrationID string, limit int) (more bool, err error) {
	rows, err := s.pool.Query(ctx, `
		select distinct e.source_id, e.object from erasures e join integrations i on i.source_id = e.source_id
		where i.id = $1 and e.not_before <= now() order by 2`, integrationID)
	if err != nil {
		return false, translate("look for what is to be erased", err)
	}
	type due struct{ Source, Object string }
	objects, err := pgx.CollectRows(rows, pgx.RowToStructByPos[due])
	if err != nil {
		return false, translate("look for what is to be erased", err)
	}
	for _, o := range objects {
		e := erasing{store: s, args: pgx.NamedArgs{"integration": integrationID, "source": o.Source, "object": o.Object, "limit": eraseTexts}}
		again, err := e.texts(ctx)
		if err != nil {
			return more, translate("erase texts", err)
		}
		rewritten, left, err := e.copies(ctx, limit)
		if err != nil {
			return more, translate("erase raw copies", err)
		}
		limit -= rewritten
		if more = more || again || left; more && limit <= 0 {
			return true, nil
		}
		if again || left {
			continue
		}
		if err := e.finish(ctx); err != nil {
			return more, translate("note what is erased", err)
		}
	}
	return more, nil
}

// eraseSoon erases the copies that a batch just asked for, if that is quickly done. What fails or
// is left is done between looks for news, so that an applied batch never fails for it.
func (s *Store) eraseSoon(ctx context.Context, integrationID string) {
	var chunks float64
	if err := s.pool.QueryRow(ctx, `select reltuples from pg_class where oid = 'raw_chunks'::regclass`).Scan(&chunks); err == nil && chunks < eraseSoonChunks {
		_, _ = s.Erase(ctx, integrationID, eraseSoonBatches)
	}
}

// erasing is one object's part of Erase.
type erasing struct {
	store *Store
	args  pgx.NamedArgs
}

// texts erases the next records that were deleted before the policy was erase, and says
// whether there are more. If the policy is another one again, they stay as they are.
func (e erasing) texts(ctx context.Context) (more bool, err error) {
	err = pgx.BeginFunc(ctx, e.store.pool, func(tx pgx.Tx) error {
		// Like Upsert, so that one knows what the other decided.
		if _, err := tx.Exec(ctx, lockObject, e.args); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			delete from erasures e using records r
			where e.source_id = @source and e.object = @object and r.source_id = e.source_id and r.object = e.object and r.record_id = e.record_id
			  and r.state = 'deleted'
			  and not exists (select 1 from objects o where o.integration_id = @integration and o.name = @object and o.spec->>'deleted' = 'erase')`,
			e.args); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, eraseDeleted, e.args)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		more = tag.RowsAffected() == eraseTexts
		_, err = tx.Exec(ctx, `select pg_notify('comments_changed', @source)`, e.args)
		return err
	})
	return more, err
}

// copies takes the records out of the raw copies of at most limit applied batches.
func (e erasing) copies(ctx context.Context, limit int) (rewritten int, more bool, err error) {
	e.args["batches"] = limit
	rows, err := e.store.pool.Query(ctx, `
		select distinct b.stream_id, b.epoch, b.seq`+heldCopies+`
		  and b.state = 'applied' and (h.id is null or`+erasable+`)
		order by 1, 2, 3 limit @batches`, e.args)
	if err != nil {
		return 0, false, err
	}
	type key struct{ Stream, Epoch, Seq int64 }
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[key])
	if err != nil {
		return 0, false, err
	}
	for _, k := range keys {
		if err := e.rewrite(ctx, k.Stream, k.Epoch, k.Seq); err != nil {
			return rewritten, true, err
		}
		rewritten++
	}
	return rewritten, len(keys) == limit, nil
}

// finish strikes off the list what has no copy left. What has one in a batch under way is
// looked for again later.
func (e erasing) finish(ctx context.Context) error {
	_, err := e.store.pool.Exec(ctx, `
		with held as (select distinct h.id`+heldCopies+`and (h.id is null or`+erasable+`))
		delete from erasures e where e.source_id = @source and e.object = @object and e.not_before <= now()
		  and not exists (select 1 from held where held.id is null or held.id = e.record_id)
		  and not exists (select 1 from records r
		      where r.source_id = e.source_id and r.object = e.object and r.record_id = e.record_id and r.state = 'deleted')`, e.args)
	if err != nil {
		return err
	}
	e.args["again"] = eraseAgain
	_, err = e.store.pool.Exec(ctx, `
		update erasures set not_before = now() + @again::interval where source_id = @source and object = @object and not_before <= now()`, e.args)
	return err
}

// rawChunk is one chunk of a batch on its way to being rewritten.
type rawChunk struct {
	attempt, chunk int
	format         string
	payload        []byte
	ids            []string
}

// rewrite takes the records that are to be erased out of one applied batch's chunks, in
// one transaction. The batch's checksum becomes that of what is kept; its counts are its receipt and stay.
func (e erasing) rewrite(ctx context.Context, stream, epoch, seq int64) error {
	return pgx.BeginFunc(ctx, e.store.pool, func(tx pgx.Tx) error {
		args := maps.Clone(e.args)
		args["stream"], args["epoch"], args["seq"] = stream, epoch, seq
		var attempt int
		err := tx.QueryRow(ctx, `
			select attempt from batches where (stream_id, epoch, seq) = (@stream, @epoch, @seq) and state = 'applied' for update`, args).Scan(&attempt)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // its object was taken out of the file meanwhile
		}
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			select attempt, chunk, format, payload, ids from raw_chunks where (stream_id, epoch, seq) = (@stream, @epoch, @seq)
			order by attempt, chunk`, args)
		if err != nil {
			return err
		}
		chunks, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (rawChunk, error) {
			var c rawChunk
			err := row.Scan(&c.attempt, &c.chunk, &c.format, &c.payload, &c.ids)
			return c, err
		})
		if err != nil {
			return err
		}
		gone, err := e.gone(ctx, tx, args, chunks)
		if err != nil {
			return err
		}
		erased := 0
		format := FormatJSON
		if len(chunks) > 0 {
			format = chunks[0].format
		}
		sum := Checksum(format)
		for _, c := range chunks {
			data, ids, n, err := c.without(gone)
			if err != nil {
				return err
			}
			if c.attempt == attempt {
				sum.Write(data)
				erased += n
			}
			args["changed"] = n > 0
			args["attempt"], args["chunk"], args["ids"] = c.attempt, c.chunk, c.ids
			sql := `update raw_chunks set ids = @ids`
			if n > 0 {
				sql += `, payload = @payload, rows = @rows, bytes = @bytes`
				args["payload"], args["ids"], args["rows"], args["bytes"] = encodeChunk(data), ids, len(ids), len(data)
			}
			if _, err := tx.Exec(ctx, sql+` where (stream_id, epoch, seq, attempt, chunk) = (@stream, @epoch, @seq, @attempt, @chunk)
				and (@changed or ids is null)`, args); err != nil {
				return err
			}
		}
		if erased == 0 {
			return nil
		}
		args["erased"], args["checksum"] = erased, sum.Sum(nil)
		_, err = tx.Exec(ctx, `
			update batches set checksum = @checksum, erased = erased + @erased where (stream_id, epoch, seq) = (@stream, @epoch, @seq)`, args)
		return err
	})
}

// gone finds which records of the chunks are to be erased, and what chunks hold that did
// not say so.
func (e erasing) gone(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs, chunks []rawChunk) (map[string]bool, error) {
	var all []string
	for i := range chunks {
		c := &chunks[i]
		if c.ids == nil {
			data, err := decodeChunk(c.payload)
			if err != nil {
				return nil, err
			}
			if c.ids, err = idsOf(c.format, data); err != nil {
				return nil, err
			}
		}
		all = append(all, c.ids...)
	}
	args["all"] = all
	rows, err := tx.Query(ctx, `
		select distinct h.id
		from unnest(@all::text[]) as h (id)
		join batches b on (b.stream_id, b.epoch, b.seq) = (@stream, @epoch, @seq)
		left join erasures e on e.source_id = @source and e.object = @object and e.record_id = h.id
		left join records r on r.source_id = @source and r.object = @object and r.record_id = e.record_id
		where`+erasable, args)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	gone := make(map[string]bool, len(ids))
	for _, id := range ids {
		gone[key(id)] = true
	}
	return gone, err
}

// without gives the chunk's bytes except those of the records in gone, which Ids it still
// holds, and how many records were taken out. What stays, stays byte for byte.
func (c rawChunk) without(gone map[string]bool) (kept []byte, ids []string, n int, err error) {
	data, err := decodeChunk(c.payload)
	if err != nil {
		return nil, nil, 0, err
	}
	if !slices.ContainsFunc(c.ids, func(id string) bool { return gone[key(id)] }) {
		return data, c.ids, 0, nil
	}
	kept, ids = make([]byte, 0, len(data)), []string{}
	err = eachRecord(c.format, data, func(id string, raw []byte) {
		switch {
		case id != noRecord && gone[key(id)]:
			n++
		default:
			kept = append(kept, raw...)
			if id != noRecord {
				ids = append(ids, id)
			}
		}
	})
	return kept, ids, n, err
}

// key is what the two spellings of a Salesforce Id, of 15 and of 18 characters, share.
func key(id string) string { return id[:min(len(id), 15)] }

// idsOf lists the Ids of a chunk's records, in order.
func idsOf(format string, data []byte) ([]string, error) {
	ids := []string{}
	err := eachRecord(format, data, func(id string, _ []byte) {
		if id != noRecord {
			ids = append(ids, id)
		}
	})
	return ids, err
}

// noRecord stands for the Id of a chunk's part that is no record: the header of CSV.
const noRecord = "\x00"

// eachRecord gives the parts of a chunk one after the other, each with its line end: together they
// are the chunk.
func eachRecord(format string, data []byte, part func(id string, raw []byte)) error {
	if format != FormatCSV {
		for line := range bytes.Lines(data) {
			part(idOf(line), line)
		}
		return nil
	}
	r := csv.NewBytesReader(data)
	header, err := r.Header()
	if errors.Is(err, io.EOF) {
		return nil
	}
	column := slices.Index(header, "Id")
	if err == nil && column < 0 {
		err = errors.New("it has no column Id")
	}
	id, begin := noRecord, int64(0)
	for err == nil {
		var row csv.Row
		if row, err = r.Next(); err != nil {
			break
		}
		part(id, data[begin:row.Offset()])
		id, begin = row.Text(column), row.Offset()
	}
	if !errors.Is(err, io.EOF) {
		return fault.Wrap(fault.Internal, err, "read a raw chunk")
	}
	part(id, data[begin:])
	return nil
}

// idOf is the Id of a staged line. Lines are written by Poll, which reads the Id of each
// before it stages it.
func idOf(line []byte) string {
	var record struct {
		ID string `json:"Id"`
	}
	if err := json.Unmarshal(line, &record); err != nil {
		return ""
	}
	return record.ID
}

func decodeChunk(payload []byte) ([]byte, error) {
	lines, err := chunkDecoder.DecodeAll(payload, nil)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "a raw chunk does not decompress")
	}
	return lines, nil
}

func encodeChunk(lines []byte) []byte {
	return chunkEncoder.EncodeAll(lines, make([]byte, 0, len(lines)/4))
}
