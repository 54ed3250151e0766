package simforce

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Layouts of the wire: REST spells datetimes with +0000, never Z.
const (
	wireDatetime = "2006-01-02T15:04:05.000-0700"
	wireDate     = "2006-01-02"
)

// Row is a record as a name to value map. Values are string, bool, int64,
// float64, time.Time (datetime and date) or nil; JSON input may also give
// float64 for ints and strings for times.
type Row map[string]any

// convert brings v into the Go type of field f, or says why it cannot.
// Empty strings become nil: the platform stores none.
func convert(f *Field, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch f.Type {
	case TypeBoolean:
		if b, ok := v.(bool); ok {
			return b, nil
		}
	case TypeInt:
		switch n := v.(type) {
		case int:
			return int64(n), nil
		case int64:
			return n, nil
		case float64:
			if n == math.Trunc(n) {
				return int64(n), nil
			}
		case json.Number:
			if i, err := n.Int64(); err == nil {
				return i, nil
			}
		}
	case TypeDouble, TypeCurrency, TypePercent:
		switch n := v.(type) {
		case int:
			return float64(n), nil
		case int64:
			return float64(n), nil
		case float64:
			return n, nil
		case json.Number:
			if x, err := n.Float64(); err == nil {
				return x, nil
			}
		}
	case TypeDatetime:
		switch t := v.(type) {
		case time.Time:
			return t.UTC().Truncate(time.Second), nil
		case string:
			for _, layout := range []string{wireDatetime, time.RFC3339Nano, "2006-01-02T15:04:05.000Z0700", wireDate} {
				if x, err := time.Parse(layout, t); err == nil {
					return x.UTC().Truncate(time.Second), nil
				}
			}
		}
	case TypeDate:
		switch t := v.(type) {
		case time.Time:
			return t.UTC().Truncate(24 * time.Hour), nil
		case string:
			for _, layout := range []string{wireDate, time.RFC3339Nano} {
				if x, err := time.Parse(layout, t); err == nil {
					return x.UTC().Truncate(24 * time.Hour), nil
				}
			}
		}
	case TypeID, TypeReference:
		if s, ok := v.(string); ok {
			if s == "" {
				return nil, nil
			}
			if id, ok := ID18(s); ok {
				return id, nil
			}
		}
	case TypeTime:
		if s, ok := v.(string); ok {
			for _, layout := range []string{"15:04:05Z", "15:04:05"} {
				if x, err := time.Parse(layout, s); err == nil {
					return x.Format("15:04:05.000Z"), nil
				}
			}
		}
	case TypeBase64:
		if s, ok := v.(string); ok {
			if _, err := base64.StdEncoding.DecodeString(s); err == nil {
				return s, nil
			}
		}
	default:
		if s, ok := v.(string); ok {
			s = cleanText(s)
			if s == "" {
				return nil, nil
			}
			return s, nil
		}
	}
	return nil, fmt.Errorf("value of type %T does not fit field %s of type %s", v, f.Name, f.Type)
}

// cleanText drops NUL and broken UTF-8, which no Salesforce field can hold.
func cleanText(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}

// cut shortens s to at most n characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	count := 0
	for i := range s {
		if count == n {
			return s[:i]
		}
		count++
	}
	return s
}

// addressParts are the parts of an address in the order of the wire, with what
// the names of their fields end in.
var addressParts = [][2]string{
	{"city", "City"}, {"country", "Country"}, {"geocodeAccuracy", ""}, {"latitude", ""}, {"longitude", ""},
	{"postalCode", "PostalCode"}, {"state", "State"}, {"street", "Street"},
}

// addressOf puts a compound together, nil when all its fields are null.
func addressOf(r *record, f *Field) any {
	out, found := Row{}, false
	prefix := strings.TrimSuffix(f.Name, "Address")
	for _, part := range addressParts {
		out[part[0]] = nil
		if part[1] != "" {
			out[part[0]] = r.get(r.obj.field(prefix + part[1]))
		}
		found = found || out[part[0]] != nil
	}
	if !found {
		return nil
	}
	return out
}

// appendValue appends the REST spelling of a value: null, quoted text, +0000
// datetimes, and doubles that always show a fraction.
func appendValue(b []byte, f *Field, v any) []byte {
	switch x := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, x)
	case int64:
		return strconv.AppendInt(b, x, 10)
	case float64:
		return appendDouble(b, x)
	case time.Time:
		layout := wireDatetime
		if f != nil && f.Type == TypeDate {
			layout = wireDate
		}
		b = append(b, '"')
		b = x.UTC().AppendFormat(b, layout)
		return append(b, '"')
	case string:
		return appendString(b, x)
	case Row: // an address
		for i, part := range addressParts {
			b = append(b, map[bool]byte{true: '{', false: ','}[i == 0])
			b = append(appendString(b, part[0]), ':')
			b = appendValue(b, nil, x[part[0]])
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

func appendDouble(b []byte, x float64) []byte {
	if a := math.Abs(x); a >= 1e7 && !math.IsInf(x, 0) {
		// Large numbers come with an exponent, as 1.25E7.
		s := strconv.FormatFloat(x, 'E', -1, 64)
		mantissa, exponent, _ := strings.Cut(s, "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exponent)
		return append(b, mantissa+"E"+strconv.Itoa(n)...)
	}
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return append(b, s...)
}

const hexDigits = "0123456789abcdef"

// appendString quotes s as JSON; only what must be escaped is.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		start = i + 1
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
