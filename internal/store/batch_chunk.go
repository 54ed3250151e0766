package store

import (
	"context"
	"crypto/sha256"
	"hash"
	"hash/crc32"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/klauspost/compress/zstd"

	"salesforcesync/internal/fault"
)

// Chunks are compressed at zstd's fastest level: measured, it costs a third of the
// next one and saves nearly as much. Encoder and decoder are stateless in this use
// and safe for concurrent calls; their errors concern options only.
var (
	chunkEncoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false), zstd.WithEncoderConcurrency(1))
	chunkDecoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
)

// Formats of a chunk.
const (
	FormatJSON = "json" // JSON lines, as the REST API writes records
	FormatCSV  = "csv"  // a header line and rows, as the Bulk API writes them
)

// Checksum is what a batch's checksum is made with, over the data of its chunks in order:
// SHA-256 for JSON and, because it must keep up with a flood, CRC-32C for CSV. It finds what was
// mixed up or cut on our side; what the disk does to it, PostgreSQL sees to.
func Checksum(format string) hash.Hash {
	if format == FormatCSV {
		return crc32.New(castagnoli)
	}
	return sha256.New()
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Chunk is some of a batch's records as Salesforce gave them.
type Chunk struct {
	Number int      // in the batch, from 0
	Format string   // FormatJSON or FormatCSV
	IDs    []string // of its records
	Data   []byte
}

// AddChunk stores one chunk of the batch's current attempt. fault.Fenced when another
// attempt has taken over.
func (s *Store) AddChunk(ctx context.Context, b *Batch, c Chunk) error {
	// An attempt that was given up may still be running: it must leave nothing behind.
	tag, err := s.pool.Exec(ctx, `
		insert into raw_chunks (stream_id, epoch, seq, attempt, chunk, rows, bytes, payload, ids, format)
		select stream_id, epoch, seq, attempt, $5, $6, $7, $8, $9, $10 from batches
		where (stream_id, epoch, seq) = ($1, $2, $3) and attempt = $4 and state = 'reading'`,
		b.Stream, b.Epoch, b.Seq, b.Attempt, c.Number, len(c.IDs), len(c.Data), encodeChunk(c.Data), c.IDs, c.Format)
	if err == nil && tag.RowsAffected() == 0 {
		return fault.New(fault.Fenced, "batch %d of stream %d: another attempt took over", b.Seq, b.Stream)
	}
	return translate("stage a chunk", err)
}

// ReadChunk returns one chunk of a sealed batch, without its Ids.
func (s *Store) ReadChunk(ctx context.Context, b *Batch, number int) (Chunk, error) {
	return new(chunkReader).read(ctx, s.pool, b, number)
}

// chunkReader reads chunks one after the other into the same memory.
type chunkReader struct {
	payload, data []byte
}

// read returns a chunk, which is valid until the next one is read.
func (r *chunkReader) read(ctx context.Context, q querier, b *Batch, number int) (Chunk, error) {
	c := Chunk{Number: number}
	payload := pgtype.PreallocBytes(r.payload[:cap(r.payload)])
	err := q.QueryRow(ctx, `
		select payload, format from raw_chunks where (stream_id, epoch, seq, attempt, chunk) = ($1, $2, $3, $4, $5)`,
		b.Stream, b.Epoch, b.Seq, b.Attempt, number).Scan(&payload, &c.Format)
	if err != nil {
		return c, translate("read a chunk", err)
	}
	r.payload = payload
	if r.data, err = chunkDecoder.DecodeAll(payload, r.data[:0]); err != nil {
		return c, fault.Wrap(fault.Internal, err, "chunk %d of batch %d of stream %d does not decompress", number, b.Seq, b.Stream)
	}
	c.Data = r.data
	return c, nil
}
