package store

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
)

// ForgetQuery says whom, or what, a source is to forget: one of IDs, Thread and Address.
type ForgetQuery struct {
	SourceID string
	IDs      []string // of comments, or Ids of records, of 18 characters
	Thread   string
	Address  string // of a sender or recipient
}

// ToForget is what was found of it.
type ToForget struct {
	Comments []string // ids of comments that have anything left
	Records  []string // Ids of records without a comment, of those that were named
	Unknown  []string // ids that are neither

	// Of an address only.
	Mentions []string    // further comments that have the address in a text, old or new, a property or an attachment's name
	Copies   []RecordRef // records whose raw copies have it, and which are none of the comments above
}

// FindToForget looks for what a source would forget. Looking for an address reads all comments of the source, all their texts, and
// unpacks all raw copies.
func (s *Store) FindToForget(ctx context.Context, q ForgetQuery) (found ToForget, err error) {
	const op = "look for what is to be erased"
	switch {
	case q.Address != "":
		err = s.findAddress(ctx, q, &found)
	case q.Thread != "":
		found.Comments, err = s.idsWhere(ctx, `source_id = $1 and thread_id = $2 and not erased`, q.SourceID, q.Thread)
	default:
		err = s.findIDs(ctx, q, &found)
	}
	return found, translate(op, err)
}

func (s *Store) idsWhere(ctx context.Context, condition string, args ...any) ([]string, error) {
	rows, err := s.pool.Query(ctx, `select c.id from comments c where `+condition+` order by c.id`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// findIDs tells what each id names.
func (s *Store) findIDs(ctx context.Context, q ForgetQuery, found *ToForget) error {
	rows, err := s.pool.Query(ctx, `
		select w.id, coalesce(c.id, byrecord.id, ''), coalesce(c.erased, byrecord.erased, false),
		       exists (select from records r where r.source_id = $1 and r.record_id = w.id)
		from unnest($2::text[]) as w (id)
		left join comments c on c.source_id = $1 and c.id = w.id
		left join comments byrecord on byrecord.source_id = $1 and byrecord.id = encode(convert_to(w.id, 'UTF8'), 'hex')
		order by 1`, q.SourceID, q.IDs)
	if err != nil {
		return err
	}
	var id, commentID string
	var erased, known bool
	_, err = pgx.ForEachRow(rows, []any{&id, &commentID, &erased, &known}, func() error {
		switch {
		case commentID != "" && !erased:
			found.Comments = append(found.Comments, commentID)
		case known:
			found.Records = append(found.Records, id)
		case commentID == "":
			found.Unknown = append(found.Unknown, id)
		}
		return nil
	})
	return err
}

// findAddress looks into everything that a source has.
func (s *Store) findAddress(ctx context.Context, q ForgetQuery, found *ToForget) error {
	pattern, err := containing(q.Address)
	if err != nil {
		return err
	}
	rows, err := s.pool.Query(ctx, `
		select c.id, c.envelope from comments c where c.source_id = $1 and not c.erased and c.envelope::text ilike $2 order by c.id`, q.SourceID, pattern)
	if err != nil {
		return err
	}
	var id string
	var envelope []comment.Message
	if _, err = pgx.ForEachRow(rows, []any{&id, &envelope}, func() error {
		if slices.ContainsFunc(envelope, func(m comment.Message) bool { return names(m, q.Address) }) {
			found.Comments = append(found.Comments, id)
		}
		envelope = nil
		return nil
	}); err != nil {
		return err
	}
	mentions, err := s.idsWhere(ctx, `
		c.source_id = $1 and not c.erased and (
		    c.envelope::text ilike $2 or c.properties::text ilike $2 or c.attachments::text ilike $2 or c.id ilike $2 or c.thread_id ilike $2
		    or exists (select from revisions v where v.source_id = c.source_id and v.comment_id = c.id and v.texts::text ilike $2))`, q.SourceID, pattern)
	if err != nil {
		return err
	}
	matched := map[string]bool{}
	for _, id := range found.Comments {
		matched[id] = true
	}
	found.Mentions = slices.DeleteFunc(mentions, func(id string) bool { return matched[id] })
	return s.findCopies(ctx, q, found)
}

// names tells whether a message is from or to an address.
func names(m comment.Message, address string) bool {
	is := func(a string) bool { return strings.EqualFold(bareAddress(a), address) }
	return is(m.From) || slices.ContainsFunc(m.To, is) || slices.ContainsFunc(m.Cc, is) || slices.ContainsFunc(m.Bcc, is)
}

// bareAddress is an address without the name in front of it.
func bareAddress(a string) string {
	if open := strings.LastIndexByte(a, '<'); open >= 0 {
		a = strings.TrimSuffix(strings.TrimSpace(a[open+1:]), ">")
	}
	return strings.TrimSpace(a)
}

// findCopies lists the records whose raw copies have the address and whose comments are not among those found.
func (s *Store) findCopies(ctx context.Context, q ForgetQuery, found *ToForget) error {
	known := map[string]bool{}
	for _, id := range recordsOf(slices.Concat(found.Comments, found.Mentions)) {
		known[id] = true
	}
	seen := map[RecordRef]bool{}
	_, err := s.eachRawChunk(ctx, q.SourceID, func(object, format string, data []byte) error {
		if !hasFold(data, q.Address) {
			return nil
		}
		return eachRecord(format, data, func(id string, raw []byte) {
			if ref := (RecordRef{object, id}); id != noRecord && !known[id] && !seen[ref] && hasFold(raw, q.Address) {
				seen[ref] = true
				found.Copies = append(found.Copies, ref)
			}
		})
	})
	return err
}

// eachRawChunk unpacks the raw copies of a source one after the other, of all sources for "", and counts them.
func (s *Store) eachRawChunk(ctx context.Context, sourceID string, do func(object, format string, data []byte) error) (n int64, err error) {
	rows, err := s.pool.Query(ctx, `
		select st.object, k.format, k.payload from integrations i join streams st on st.integration_id = i.id join raw_chunks k on k.stream_id = st.id
		where $1 in ('', i.source_id)`, sourceID)
	if err != nil {
		return 0, err
	}
	var object, format string
	var payload []byte
	_, err = pgx.ForEachRow(rows, []any{&object, &format, &payload}, func() error {
		data, err := decodeChunk(payload)
		if err != nil {
			return err
		}
		n++
		return do(object, format, data)
	})
	return n, err
}

// hasFold tells whether text has what, whatever the case of letters.
func hasFold(text []byte, what string) bool {
	return bytes.Contains(bytes.ToLower(text), bytes.ToLower([]byte(what)))
}

// containing is a pattern of LIKE for rows, as text, that have what in a column of text or JSON.
func containing(what string) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(what); err != nil {
		return "", fault.Wrap(fault.Invalid, err, "look for a text")
	}
	text := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%", nil
}

// Trace is a table that has something, and in how many rows.
type Trace struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// Searched is what Traces looked through.
type Searched struct {
	Tables int64   `json:"tables"`
	Chunks int64   `json:"raw_copies"` // that were unpacked
	Found  []Trace `json:"found"`
}

// Traces looks for a text in every column of every table there is, and in all raw copies. It reads the whole
// database.
func (s *Store) Traces(ctx context.Context, what string) (r Searched, err error) {
	const op = "look through all tables"
	r.Found = []Trace{}
	pattern, err := containing(what)
	if err != nil {
		return r, err
	}
	rows, err := s.pool.Query(ctx, `select quote_ident(tablename) from pg_tables where schemaname = current_schema() order by 1`)
	if err != nil {
		return r, translate(op, err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return r, translate(op, err)
	}
	for _, table := range tables {
		if table == "raw_chunks" {
			continue
		}
		t := Trace{Table: table}
		if err := s.pool.QueryRow(ctx, `select count(*) from `+table+` t where t::text ilike $1`, pattern).Scan(&t.Rows); err != nil {
			return r, translate(op, err)
		}
		r.Tables++
		if t.Rows > 0 {
			r.Found = append(r.Found, t)
		}
	}
	copies := Trace{Table: "raw_chunks"}
	r.Tables++
	if r.Chunks, err = s.eachRawChunk(ctx, "", func(_, _ string, data []byte) error {
		if hasFold(data, what) {
			copies.Rows++
		}
		return nil
	}); err != nil {
		return r, translate(op, err)
	}
	if copies.Rows > 0 {
		r.Found = append(r.Found, copies)
	}
	return r, nil
}
