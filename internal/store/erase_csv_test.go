package store_test

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/store"
)

// Rows of CSV chunks are taken out whole, whatever stands in their cells, and the others stay to
// the byte.
func TestEraseRewritesCSV(t *testing.T) {
	t.Parallel()
	const (
		header = "\xef\xbb\xbf\"Subject\",\"Id\",\"TextBody\",\"_recipients\"\r\n"
		first  = "\"a\",\"" + idA + "\",\"one\nline \"\"" + idB + "\"\",\",\"\"\r\n"
		second = "\"b\",\"" + idB + "\",\"the\r\n\"\"canary\"\", and more\",\"{\"\"to\"\":[\"\"canary@example.com\"\"]}\"\n"
		third  = "c," + idC + ",\"\x00\",\"\"\n\n"
		other  = "\"Id\",\"Subject\"\n\"" + unknownID + "\",\"x\"\n"
	)
	for name, c := range map[string]struct {
		gone []string
		want string // of the first chunk
	}{
		"the first":  {[]string{idA}, header + second + third},
		"the second": {[]string{idB}, header + first + third},
		"the last":   {[]string{idC}, header + first + second},
		"all":        {[]string{idA, idB, idC}, header},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, told := range []bool{true, false} { // does the chunk say what it holds?
				l := newLane(t, config.DeletedErase)
				b := l.begin()
				chunks := []string{header + first + second + third, other}
				sum := func(text string) []byte {
					h := store.Checksum(store.FormatCSV)
					h.Write([]byte(text))
					return h.Sum(nil)
				}
				require.NoError(t, l.db.AddChunk(t.Context(), b, store.Chunk{Number: 0, Format: store.FormatCSV, IDs: []string{idA, idB, idC}, Data: []byte(chunks[0])}))
				require.NoError(t, l.db.AddChunk(t.Context(), b, store.Chunk{Number: 1, Format: store.FormatCSV, IDs: []string{unknownID}, Data: []byte(chunks[1])}))
				require.NoError(t, l.db.SealBatch(t.Context(), b, store.Seal{Chunks: 2, Rows: 4, Bytes: 1, Checksum: sum(chunks[0] + chunks[1]), ServerTime: l.clock}))
				require.NoError(t, l.stage(l.ref, 1, mail{id: idA, stamp: at(0), raw: "one"}, mail{id: idB, stamp: at(0), raw: "two"},
					mail{id: idC, stamp: at(0), raw: "three"}, mail{id: unknownID, stamp: at(0), raw: "four"}))
				l.upsert(l.ref)
				l.ref.Seq++
				if !told {
					l.seed.Exec(`update raw_chunks set ids = null`)
				}
				var deletes []mail
				for _, id := range c.gone {
					deletes = append(deletes, mail{id: id, stamp: at(5), deleted: true})
				}
				l.apply(deletes...)
				more, err := l.db.Erase(t.Context(), l.id, 100)
				require.NoError(t, err)
				require.False(t, more)

				b.Attempt = 1
				for i, want := range []string{c.want, chunks[1]} {
					got, err := l.db.ReadChunk(t.Context(), b, i)
					require.NoError(t, err)
					require.Equal(t, store.FormatCSV, got.Format)
					require.Equal(t, want, string(got.Data))
				}
				held := l.strings(`select unnest(ids) from raw_chunks where seq = 1 order by 1`)
				require.Len(t, held, 4-len(c.gone))
				for _, id := range c.gone {
					require.NotContains(t, held, id)
				}
				require.Equal(t, hex.EncodeToString(sum(c.want+chunks[1])), l.one(`select encode(checksum, 'hex') from batches where seq = 1`))
				require.Empty(t, l.strings(`select record_id from erasures`))
			}
		})
	}
}
