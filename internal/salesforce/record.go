package salesforce

import (
	"strconv"
	"time"
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

// Record is one record in canonical form: the same record read over REST and over
// Bulk gives the same Record. Null and empty text are both null; datetimes are
// "2006-01-02T15:04:05Z"; numbers are the shortest decimal; lines end in a line
// feed. The zero value has no id and no fields.
//
// The texts of a record are one piece of memory: keep a clone of what is to outlive it.
type Record struct {
	ID     string // 18 characters
	shape  *Shape
	values []value // in the order of the shape's paths
}

type value struct {
	text  string
	state state
}

// state says what there is of a value.
type state uint8

const (
	missing state = iota // the record does not carry it
	null
	set
)

func (r Record) value(path string) value {
	if r.shape == nil {
		return value{}
	}
	i, known := r.shape.index[path]
	if !known {
		return value{}
	}
	return r.values[i]
}

// Has reports whether the record carries the path at all; null counts as carried.
func (r Record) Has(path string) bool { return r.value(path).state != missing }

// Text returns the canonical text at path; false when it is null or missing.
func (r Record) Text(path string) (string, bool) {
	v := r.value(path)
	return v.text, v.state == set
}

// Number returns the number at path; false when it is null, missing or no number.
// Text has all its digits.
func (r Record) Number(path string) (float64, bool) {
	v := r.value(path)
	if v.state != set || !jsonNumber.MatchString(v.text) {
		return 0, false
	}
	n, err := strconv.ParseFloat(v.text, 64)
	return n, err == nil
}

// Bool returns the checkbox at path; false, false when it is null, missing or no checkbox.
func (r Record) Bool(path string) (b, ok bool) {
	v := r.value(path)
	return v.state == set && v.text == "true", v.state == set && (v.text == "true" || v.text == "false")
}

// Time returns the instant (whole seconds, UTC) or the date (its midnight in UTC)
// at path; false when it is null, missing or neither.
func (r Record) Time(path string) (time.Time, bool) {
	v := r.value(path)
	if v.state != set {
		return time.Time{}, false
	}
	if len(v.text) == len(stampLayout) {
		if t, ok := civil(v.text); ok && v.text[len(v.text)-1] == 'Z' {
			return t.time(), true
		}
	}
	t, err := time.Parse(time.DateOnly, v.text)
	return t, err == nil
}

// Paths lists the paths that the record carries, sorted.
func (r Record) Paths() []string {
	paths := make([]string, 0, len(r.values))
	for i, v := range r.values {
		if v.state != missing {
			paths = append(paths, r.shape.paths[i])
		}
	}
	return paths
}

// Digest is the SHA-256 of the values at paths. See [Digester], which is for many
// records.
func (r Record) Digest(paths []string) [32]byte { return NewDigester(paths).Sum(r) }
