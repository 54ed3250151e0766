package salesforce

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
)

// Digester makes the digests of many records over the same paths. It is for one goroutine at
// a time.
//
// A digest is the SHA-256 of the values at the paths. Order and repetition of paths do
// not matter; a missing path, a null and each text differ. Every part is preceded by
// its length, so no two lists of values share an encoding. The encoding is stored
// with comments: changing it re-reads every one of them.
type Digester struct {
	paths []string // sorted, each once
	names [][]byte // each with its length before it

	shape *Shape // of the last record
	at    []int  // where its paths are, -1 where it has none

	sum hash.Hash
	buf []byte // what sum gets next: many small parts at once
	out [sha256.Size]byte
}

// NewDigester makes a digester over paths.
func NewDigester(paths []string) *Digester {
	d := &Digester{paths: slices.Compact(slices.Sorted(slices.Values(paths))), sum: sha256.New(), buf: make([]byte, 0, 4<<10)}
	d.at = make([]int, len(d.paths))
	for _, p := range d.paths {
		d.names = append(d.names, append(binary.AppendUvarint(nil, uint64(len(p))), p...))
	}
	return d
}

// Sum is the digest of one record.
func (d *Digester) Sum(r Record) [32]byte {
	if d.shape != r.shape || r.shape == nil {
		d.shape = r.shape
		for i, p := range d.paths {
			d.at[i] = -1
			if r.shape == nil {
				continue
			}
			if at, known := r.shape.index[p]; known {
				d.at[i] = at
			}
		}
	}
	d.sum.Reset()
	d.buf = d.buf[:0]
	for i, name := range d.names {
		add(d, name)
		v := value{}
		if at := d.at[i]; at >= 0 {
			v = r.values[at]
		}
		switch v.state {
		case missing:
			add(d, "-")
		case null:
			add(d, "0")
		case set:
			add(d, "=")
			var n [binary.MaxVarintLen64]byte
			add(d, n[:binary.PutUvarint(n[:], uint64(len(v.text)))])
			add(d, v.text)
		}
	}
	d.sum.Write(d.buf)
	return [32]byte(d.sum.Sum(d.out[:0]))
}

func add[T string | []byte](d *Digester, part T) {
	for len(part) > 0 {
		if len(d.buf) == cap(d.buf) {
			d.sum.Write(d.buf)
			d.buf = d.buf[:0]
		}
		n := copy(d.buf[len(d.buf):cap(d.buf)], part)
		d.buf, part = d.buf[:len(d.buf)+n], part[n:]
	}
}
