package salesforce

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/fault"
)

// FieldType is a field's type as describe spells it.
type FieldType string

// The types that this package treats in a way of their own; all others are text.
const (
	TypeID            FieldType = "id"
	TypeReference     FieldType = "reference"
	TypeString        FieldType = "string"
	TypeTextArea      FieldType = "textarea"
	TypePicklist      FieldType = "picklist"
	TypeMultiPicklist FieldType = "multipicklist"
	TypeEmail         FieldType = "email"
	TypePhone         FieldType = "phone"
	TypeURL           FieldType = "url"
	TypeBoolean       FieldType = "boolean"
	TypeInt           FieldType = "int"
	TypeLong          FieldType = "long"
	TypeDouble        FieldType = "double"
	TypeCurrency      FieldType = "currency"
	TypePercent       FieldType = "percent"
	TypeDate          FieldType = "date"
	TypeDateTime      FieldType = "datetime"
	TypeTime          FieldType = "time"
	TypeBase64        FieldType = "base64"
	TypeAddress       FieldType = "address"
	TypeLocation      FieldType = "location"
	TypeAny           FieldType = "anyType"
)

// Numeric reports whether values of the type are numbers.
func (t FieldType) Numeric() bool {
	switch t {
	case TypeInt, TypeLong, TypeDouble, TypeCurrency, TypePercent:
		return true
	}
	return false
}

// Compound reports whether the type is made of other fields (an address), which
// Bulk does not select.
func (t FieldType) Compound() bool { return t == TypeAddress || t == TypeLocation }

// Fields maps the paths that were selected, in Salesforce's spelling, to their types.
type Fields map[string]FieldType

// Record is one record in canonical form: the same record read over REST and over
// Bulk gives the same Record. Null and empty text are both null; datetimes are
// "2006-01-02T15:04:05Z"; numbers are the shortest decimal; lines end in a line
// feed. The zero value has no id and no fields.
type Record struct {
	ID     string // 18 characters
	values map[string]value
}

type value struct {
	text string
	set  bool // false: null
}

// Decode reads one record of a query answer, taking the paths in f and leaving the
// rest. A path that the record does not have stays missing, which is not null: see
// [Record.Has]. An unreadable value is a fault.Record error that names record and
// field, never the value's full text.
func Decode(raw json.RawMessage, f Fields) (Record, error) {
	top := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &top); err != nil {
		return Record{}, fault.Wrap(fault.Record, err, "read a record")
	}
	rec := Record{values: make(map[string]value, len(f))}
	if err := rec.setID(func() (string, error) {
		text, _, err := canonicalJSON(TypeID, top["Id"])
		return text, err
	}); err != nil {
		return Record{}, err
	}
	levels := map[string]map[string]json.RawMessage{} // relation path → its members; nil for a null relation
	for path, typ := range f {
		level, name, present := top, path, true
		for at := 0; present; {
			dot := strings.IndexByte(path[at:], '.')
			if dot < 0 {
				name = path[at:]
				break
			}
			prefix := path[:at+dot]
			next, seen := levels[prefix]
			if !seen {
				var rawLevel json.RawMessage
				if rawLevel, present = level[path[at:at+dot]]; !present {
					break
				}
				if err := json.Unmarshal(rawLevel, &next); err != nil {
					return Record{}, rec.unreadable(prefix, err)
				}
				levels[prefix] = next
			}
			if level = next; level == nil {
				break
			}
			at += dot + 1
		}
		if !present {
			continue
		}
		if level == nil { // below a null relation everything is null
			rec.values[path] = value{}
			continue
		}
		rawValue, there := level[name]
		if !there {
			continue
		}
		text, set, err := canonicalJSON(typ, rawValue)
		if err != nil {
			return Record{}, rec.unreadable(path, err)
		}
		rec.values[path] = value{text, set}
	}
	return rec, nil
}

// NewRecord makes a record of the cells of one CSV row by column name, with the
// same results as [Decode] for the same record.
func NewRecord(cells map[string]string, f Fields) (Record, error) {
	rec := Record{values: make(map[string]value, len(f))}
	if err := rec.setID(func() (string, error) { return cells["Id"], nil }); err != nil {
		return Record{}, err
	}
	for path, typ := range f {
		cell, there := cells[path]
		if !there {
			continue
		}
		text, set, err := canonical(typ, cell)
		if err != nil {
			return Record{}, rec.unreadable(path, err)
		}
		rec.values[path] = value{text, set}
	}
	return rec, nil
}

func (r *Record) setID(read func() (string, error)) error {
	text, err := read()
	if err != nil {
		return err
	}
	if r.ID = To18(text); r.ID == "" {
		return fault.New(fault.Record, "the record's Id %s is not a Salesforce id", excerpt(text))
	}
	return nil
}

func (r *Record) unreadable(path string, err error) error {
	return fault.Wrap(fault.Record, err, "read %s of record %s", path, r.ID)
}

// Has reports whether the record carries the path at all; null counts as carried.
func (r Record) Has(path string) bool {
	_, ok := r.values[path]
	return ok
}

// Text returns the canonical text at path; false when it is null or missing.
func (r Record) Text(path string) (string, bool) {
	v := r.values[path]
	return v.text, v.set
}

// Number returns the number at path; false when it is null, missing or no number.
// Text has all its digits.
func (r Record) Number(path string) (float64, bool) {
	v := r.values[path]
	if !v.set || !jsonNumber.MatchString(v.text) {
		return 0, false
	}
	n, err := strconv.ParseFloat(v.text, 64)
	return n, err == nil
}

// Bool returns the checkbox at path; false, false when it is null, missing or no checkbox.
func (r Record) Bool(path string) (b, ok bool) {
	v := r.values[path]
	return v.set && v.text == "true", v.set && (v.text == "true" || v.text == "false")
}

// Time returns the instant (whole seconds, UTC) or the date (its midnight in UTC)
// at path; false when it is null, missing or neither.
func (r Record) Time(path string) (time.Time, bool) {
	v := r.values[path]
	if !v.set {
		return time.Time{}, false
	}
	if t, err := time.Parse(stampLayout, v.text); err == nil {
		return t, true
	}
	t, err := time.Parse(time.DateOnly, v.text)
	return t, err == nil
}

// Paths lists the paths that the record carries, sorted.
func (r Record) Paths() []string {
	paths := make([]string, 0, len(r.values))
	for p := range r.values {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	return paths
}

// Digest is the SHA-256 of the values at paths. Order and repetition of paths do
// not matter; a missing path, a null and each text differ. Every part is preceded by
// its length, so no two lists of values share an encoding. The encoding is stored
// with comments: changing it re-reads every one of them.
func (r Record) Digest(paths []string) [32]byte {
	sorted := slices.Clone(paths)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	var b bytes.Buffer
	part := func(s string) {
		var n [binary.MaxVarintLen64]byte
		b.Write(n[:binary.PutUvarint(n[:], uint64(len(s)))])
		b.WriteString(s)
	}
	for _, p := range sorted {
		part(p)
		v, carried := r.values[p]
		switch {
		case !carried:
			b.WriteByte('-')
		case !v.set:
			b.WriteByte('0')
		default:
			b.WriteByte('=')
			part(v.text)
		}
	}
	return sha256.Sum256(b.Bytes())
}
