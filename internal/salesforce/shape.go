package salesforce

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"salesforcesync/internal/fault"
)

// Fields maps the paths that were selected, in Salesforce's spelling, to their types.
type Fields map[string]FieldType

// Shape is Fields made ready for reading many records. It is safe for concurrent use.
type Shape struct {
	paths []string // sorted
	types []FieldType
	index map[string]int // of a path
	top   level
}

// level is what is wanted of one JSON object: of the record, or of a parent in it.
type level struct {
	prefix string            // the path that leads here; "" for the record
	fields map[string]int    // by member
	below  map[string]*level // by relation
	all    []int             // everything here and below
}

// Shape makes the fields ready.
func (f Fields) Shape() *Shape {
	s := &Shape{paths: slices.Sorted(maps.Keys(f)), index: make(map[string]int, len(f))}
	for i, path := range s.paths {
		s.types = append(s.types, f[path])
		s.index[path] = i
		l := &s.top
		l.all = append(l.all, i)
		for rest := path; ; {
			relation, more, deeper := strings.Cut(rest, ".")
			if !deeper {
				if l.fields == nil {
					l.fields = map[string]int{}
				}
				l.fields[rest] = i
				break
			}
			next := l.below[relation]
			if next == nil {
				next = &level{prefix: path[:len(path)-len(more)-1]}
				if l.below == nil {
					l.below = map[string]*level{}
				}
				l.below[relation] = next
			}
			l, rest = next, more
			l.all = append(l.all, i)
		}
	}
	return s
}

// Decode reads one record of a query answer, taking the paths in f and leaving the
// rest. A path that the record does not have stays missing, which is not null: see
// [Record.Has]. An unreadable value is a fault.Record error that names record and
// field, never the value's full text. For many records: [Fields.Shape].
func Decode(raw json.RawMessage, f Fields) (Record, error) { return f.Shape().Decode(raw) }

// builders are scratch of Decode, used again.
var builders = sync.Pool{New: func() any { return new(builder) }}

// Decode is the function [Decode] for the shape's fields.
func (s *Shape) Decode(raw json.RawMessage) (Record, error) {
	// What follows walks over JSON that is known to be right.
	if !json.Valid(raw) {
		var v json.RawMessage
		return Record{}, fault.Wrap(fault.Record, json.Unmarshal(raw, &v), "read a record")
	}
	if raw = bytes.TrimLeft(raw, jsonBlanks); raw[0] != '{' {
		return Record{}, fault.New(fault.Record, "read a record: it is not a JSON object")
	}
	b := builders.Get().(*builder)
	defer builders.Put(b)
	b.begin(s)
	id := b.object(&s.top, raw)
	text, _, err := canonicalJSON(TypeID, id)
	if err != nil {
		return Record{}, err
	}
	return b.record(text)
}

// builder gathers the values of one record. Their texts stand one behind the other and
// become one string.
type builder struct {
	shape  *Shape
	text   []byte
	spans  []span
	spare  []byte // a JSON string without its escapes
	failed int    // the first value that cannot be read; -1 for none
	err    error
	where  string // what was read when it failed
}

type span struct {
	from, to int
	state    state
}

func (b *builder) begin(s *Shape) {
	b.shape, b.text, b.failed, b.err = s, b.text[:0], len(s.paths), nil
	b.spans = slices.Grow(b.spans[:0], len(s.paths))[:len(s.paths)]
	clear(b.spans)
}

// put reads a value as CSV or a JSON scalar has it.
func (b *builder) put(i int, raw []byte) {
	from := len(b.text)
	out, err := appendCanonical(b.text, b.shape.types[i], raw)
	if err != nil {
		b.fail(i, b.shape.paths[i], err)
		return
	}
	b.took(i, from, out)
}

func (b *builder) took(i, from int, out []byte) {
	b.text = out
	b.spans[i] = span{from, len(out), set}
	if len(out) == from {
		b.spans[i].state = null
	}
}

// fail notes an error; of several the one of the first path is told.
func (b *builder) fail(i int, where string, err error) {
	if i < b.failed {
		b.failed, b.where, b.err = i, where, err
	}
}

// record ends the record; id is 15 or 18 characters.
func (b *builder) record(id string) (Record, error) {
	r := Record{ID: To18(id), shape: b.shape, values: make([]value, len(b.spans))}
	if r.ID == "" {
		return Record{}, fault.New(fault.Record, "the record's Id %s is not a Salesforce id", excerpt(id))
	}
	if b.err != nil {
		return Record{}, fault.Wrap(fault.Record, b.err, "read %s of record %s", b.where, r.ID)
	}
	all := string(b.text)
	for i, s := range b.spans {
		r.values[i] = value{all[s.from:s.to], s.state}
	}
	return r, nil
}

// object takes from a JSON object what l wants of it, and returns the member Id.
func (b *builder) object(l *level, raw []byte) (id []byte) {
	for name, member := range members(raw) {
		if string(name) == "Id" {
			id = member
		}
		if i, wanted := l.fields[string(name)]; wanted {
			b.member(i, member)
		}
		next := l.below[string(name)]
		if next == nil {
			continue
		}
		for _, i := range next.all {
			b.spans[i] = span{state: missing}
		}
		switch member[0] {
		case '{':
			b.object(next, member)
		case 'n': // below a null relation everything is null
			for _, i := range next.all {
				b.spans[i].state = null
			}
		default:
			b.fail(next.all[0], next.prefix, fault.New(fault.Record, "it is not a JSON object"))
		}
	}
	return id
}

// member reads the JSON value of a field.
func (b *builder) member(i int, raw []byte) {
	switch raw[0] {
	case 'n':
		b.spans[i] = span{state: null}
	case '"':
		if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 {
			b.put(i, inner)
		} else {
			b.spare = unescape(b.spare[:0], inner)
			b.put(i, b.spare)
		}
	case '{', '[':
		from := len(b.text)
		text, _, err := canonicalJSON(b.shape.types[i], raw)
		if err != nil {
			b.fail(i, b.shape.paths[i], err)
			return
		}
		b.took(i, from, append(b.text, text...))
	default:
		b.put(i, raw)
	}
}
