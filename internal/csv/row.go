package csv

import "bytes"

// cell is where a cell's text stands in its row, quotes around it left out.
type cell struct {
	from, to int
	escaped  bool // it has doubled quotes
}

// Row is one row. It and what its methods return as bytes are valid until the reader's
// next row.
type Row struct{ r *Reader }

// Raw is the row as it came, without its line end.
func (w Row) Raw() []byte { return w.r.buf[w.r.start : w.r.start+w.r.length] }

// Number counts rows from 1; the header is not one.
func (w Row) Number() int { return w.r.number }

// Offset is where the row begins in the stream.
func (w Row) Offset() int64 { return w.r.offset + int64(w.r.start) }

// Len is the number of cells.
func (w Row) Len() int { return len(w.r.cells) }

// Bytes is the text of a cell. Only a cell with doubled quotes is copied.
func (w Row) Bytes(i int) []byte {
	c := w.r.cells[i]
	text := w.r.buf[w.r.start+c.from : w.r.start+c.to]
	if !c.escaped {
		return text
	}
	// What was given out before stays as it is, also when scratch grows.
	begin := len(w.r.scratch)
	w.r.scratch = unescape(w.r.scratch, text)
	return w.r.scratch[begin:len(w.r.scratch):len(w.r.scratch)]
}

// Text is the text of a cell, to be kept.
func (w Row) Text(i int) string { return string(w.Bytes(i)) }

// unescape appends text with its doubled quotes made single.
func unescape(out, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '"')
		if i < 0 {
			return append(out, text...)
		}
		out = append(out, text[:i+1]...)
		text = text[i+2:] // the reader has seen both
	}
}

// AppendCell appends text as a cell, in quotes.
func AppendCell(out []byte, text string) []byte {
	out = append(out, '"')
	for i := range len(text) {
		if text[i] == '"' {
			out = append(out, '"')
		}
		out = append(out, text[i])
	}
	return append(out, '"')
}
