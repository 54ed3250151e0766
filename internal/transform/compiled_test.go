package transform_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/csv"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// both is one record as REST writes it and as Bulk does.
type both struct {
	json  map[string]any
	cells map[string]string
}

func newBoth() both { return both{json: map[string]any{}, cells: map[string]string{}} }

// set gives the record a value; nil is null.
func (b both) set(path string, rest any, cell string) {
	b.cells[path] = cell
	at := b.json
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		next, ok := at[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[name] = next
		}
		at = next
	}
	at[names[len(names)-1]] = rest
}

func (b both) line(t testing.TB, r transform.Recipients) []byte {
	t.Helper()
	raw, err := json.Marshal(b.json)
	require.NoError(t, err)
	raw, err = r.Attach(raw)
	require.NoError(t, err)
	return raw
}

// header and row give the record as CSV, with the column of recipients last.
func (b both) csv(t testing.TB, r transform.Recipients) (header, row string) {
	t.Helper()
	var names, cells []byte
	for _, path := range slices.Sorted(maps.Keys(b.cells)) {
		names = append(csv.AppendCell(names, path), ',')
		cells = append(csv.AppendCell(cells, b.cells[path]), ',')
	}
	cell := ""
	if !r.IsZero() {
		raw, err := json.Marshal(r)
		require.NoError(t, err)
		cell = string(raw)
	}
	return string(csv.AppendCell(names, transform.PathRecipients)) + "\n", string(csv.AppendCell(cells, cell)) + "\n"
}

func fromCSV(t testing.TB, r transform.Recipe, text string) (store.StagedRow, transform.Identity) {
	t.Helper()
	rows := csv.NewBytesReader([]byte(text))
	header, err := rows.Header()
	require.NoError(t, err)
	compiled, err := r.Compile(header)
	require.NoError(t, err)
	row, err := rows.Next()
	require.NoError(t, err)
	identity, err := compiled.Identity(row)
	require.NoError(t, err)
	out, err := compiled.Row(row)
	require.NoError(t, err)
	return out, identity
}

// anyMail is a mail of any values. Some paths may be missing from it altogether, and some
// cannot be read.
func anyMail(random *rand.Rand) (both, transform.Recipients) {
	b := newBoth()
	text := func() string {
		parts := []string{"a", "Good day", " ", "\n", "\r\n", "\r", ",", ";", `"`, `""`, "<b>", "&amp;", "\t", "\x00", "é", "👩", "N/A", "null", "ann@example.com", "Ann <a@x.example>"}
		var s strings.Builder
		for range random.IntN(6) {
			s.WriteString(parts[random.IntN(len(parts))])
		}
		return s.String()
	}
	none := random.IntN(3) == 0 // no parent
	b.set("Id", mailID, mailID)
	for _, path := range slices.Sorted(maps.Keys(mailTypes)) {
		if path != "SystemModstamp" && path != "IsDeleted" && !strings.Contains(path, ".") && random.IntN(40) == 0 {
			continue
		}
		if below := strings.HasPrefix(path, "Parent."); below && none || random.IntN(6) == 0 {
			if below && none {
				b.cells[path], b.json["Parent"] = "", nil
			} else if path != "SystemModstamp" && path != "IsDeleted" {
				b.set(path, nil, "")
			} else {
				b.set(path, map[string]any{"SystemModstamp": "2026-03-01T12:00:05.000+0000", "IsDeleted": false}[path],
					map[string]string{"SystemModstamp": "2026-03-01T12:00:05.000Z", "IsDeleted": "false"}[path])
			}
			continue
		}
		at := time.Unix(random.Int64N(2e9), 0).UTC()
		switch mailTypes[path] {
		case salesforce.TypeBoolean:
			yes := random.IntN(8) == 0 || path != "IsDeleted" && random.IntN(2) == 0
			b.set(path, yes, fmt.Sprint(yes))
		case salesforce.TypeDateTime:
			b.set(path, at.Format("2006-01-02T15:04:05.000+0000"), at.Format("2006-01-02T15:04:05.000Z"))
			if random.IntN(60) == 0 && path != "SystemModstamp" {
				b.set(path, "soon", "soon")
			}
		case salesforce.TypeDate:
			b.set(path, at.Format(time.DateOnly), at.Format(time.DateOnly))
		case salesforce.TypeDouble:
			n := []float64{0, 3, -2.5, 1e9, 0.001}[random.IntN(5)]
			b.set(path, n, fmt.Sprintf("%.4f", n))
		case salesforce.TypeReference:
			b.set(path, caseID, caseID)
		default:
			s := text()
			b.set(path, s, s)
		}
	}
	var r transform.Recipients
	if random.IntN(3) == 0 {
		r.To = []string{"quoted \"name\" <q@x.example>", text() + "x"}
		r.Bcc = []string{"ann@example.com"}
	}
	return b, r
}

// A record becomes the same row whichever API gave it. One that cannot be read is set aside
// with the same reason; only the digest of what came is of what came.
func TestRowOfCSVIsThatOfJSON(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	seen := map[string]int{}
	for range 4000 {
		b, recipients := anyMail(random)
		want := row(t, recipe, b.line(t, recipients))
		header, cells := b.csv(t, recipients)
		got, identity := fromCSV(t, recipe, header+cells)
		require.Equal(t, transform.Identity{ID: got.RecordID, Stamp: got.Stamp, RecordDigest: got.RecordDigest, TextDigest: got.TextDigest, Deleted: got.Deleted, Reason: identity.Reason}, identity)
		if bytes.Equal(want.RecordDigest, want.TextDigest) { // it cannot be read: the digest is of what came
			seen["cannot be read"]++
			require.Equal(t, want.Reason, identity.Reason)
			require.Equal(t, got.RecordDigest, got.TextDigest)
			got.RecordDigest, got.TextDigest = want.RecordDigest, want.TextDigest
		}
		switch {
		case want.Reason != "":
			seen["set aside"]++
		case want.Deleted:
			seen["deleted"]++
		default:
			seen["comment"]++
		}
		require.Equal(t, want, got, "%s\n%s", b.line(t, recipients), cells)
		id, digest, deleted, err := recipe.Identity(b.line(t, recipients))
		require.NoError(t, err)
		require.Equal(t, []any{want.RecordID, want.RecordDigest, want.Deleted}, []any{id, digest, deleted})
	}
	for _, what := range []string{"comment", "deleted", "set aside", "cannot be read"} {
		require.Positive(t, seen[what], what)
	}
}

func TestCompileRefusesAHeaderWithoutAnID(t *testing.T) {
	t.Parallel()
	_, err := recipe.Compile([]string{"Subject"})
	require.Error(t, err)
}

func TestRowOfCSVWithoutItsStamp(t *testing.T) {
	t.Parallel()
	r, identity := fromCSV(t, recipe, "\"Id\",\"Subject\"\n\""+mailID+"\",\"x\"\n")
	require.Equal(t, "it came without its SystemModstamp", r.Reason)
	require.Equal(t, r.Reason, identity.Reason)
	require.Equal(t, transform.NoStamp, r.Stamp)
}

// A batch of CSV is staged as the same batch of JSON lines is.
func TestTransformOfCSV(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	var lines, rows []store.Chunk
	for range 3 {
		var l, r store.Chunk
		l.Format, r.Format = store.FormatJSON, store.FormatCSV
		missing := random.IntN(2) == 0 // a field that is hidden from all of them
		for range 40 {
			b, recipients := anyMail(random)
			id := salesforce.To18(fmt.Sprintf("02s5e%010d", random.Int64N(1e10)))
			b.set("Id", id, id)
			for _, path := range slices.Sorted(maps.Keys(mailTypes)) { // one header for all rows
				if _, there := b.cells[path]; !there {
					b.set(path, nil, "")
				}
			}
			if missing {
				delete(b.cells, "Subject")
				delete(b.json, "Subject")
			}
			l.Data = append(append(l.Data, b.line(t, recipients)...), '\n')
			header, cells := b.csv(t, recipients)
			if r.Data == nil {
				r.Data = []byte(header)
			}
			r.Data = append(r.Data, cells...)
			l.IDs, r.IDs = append(l.IDs, id), append(r.IDs, id)
		}
		lines, rows = append(lines, l), append(rows, r)
	}
	staged := func(chunks []store.Chunk) []string {
		db, seed, ref := sealedChunks(t, nil, chunks...)
		_, err := transform.Batches{Store: db}.Transform(t.Context(), ref)
		require.NoError(t, err)
		// The digest of what cannot be read is of what came.
		out := seed.Strings(`select concat_ws(' ', record_id, stamp, case when record_digest = text_digest then '' else record_digest::text || text_digest::text end,
			is_deleted, reason, comment_id, ts, thread_id, envelope, properties, texts, text_hash, content_hash, chunk, text_kept) from staged order by record_id`)
		done, err := db.Upsert(t.Context(), ref)
		require.NoError(t, err)
		require.EqualValues(t, 120, done.Counts.Rows)
		return out
	}
	want, got := staged(lines), staged(rows)
	require.Len(t, want, 120)
	require.Equal(t, want, got)
}

func TestTransformRefusesCSVThatWasCut(t *testing.T) {
	t.Parallel()
	b, recipients := anyMail(rand.New(rand.NewPCG(1, 1)))
	header, cells := b.csv(t, recipients)
	for _, text := range []string{header + cells[:len(cells)-5], "\"Subject\"\n\"x\"\n", header + "\"x\"\n"} {
		db, _, ref := sealedChunks(t, nil, store.Chunk{Format: store.FormatCSV, IDs: []string{mailID}, Data: []byte(text)})
		_, err := transform.Batches{Store: db}.Transform(t.Context(), ref)
		require.Equal(t, fault.Internal, fault.KindOf(err), "%v", err)
	}
}

// A batch of which every row was the stored one has neither chunks nor rows.
func TestTransformOfABatchThatWasSkipped(t *testing.T) {
	t.Parallel()
	db, seed, ref := sealedChunks(t, nil)
	seed.Exec(`update batches set rows = 4000, skipped = 4000`)
	_, err := transform.Batches{Store: db}.Transform(t.Context(), ref)
	require.NoError(t, err)
	done, err := db.Upsert(t.Context(), ref)
	require.NoError(t, err)
	require.EqualValues(t, 4000, done.Counts.Unchanged)
	require.EqualValues(t, 4000, done.Counts.Sum())
	again, err := db.Upsert(t.Context(), ref)
	require.NoError(t, err)
	require.True(t, again.Again)
	require.Equal(t, done.Counts, again.Counts)
}
