package salesforce

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"salesforcesync/internal/fault"
)

// canonical gives a value the spelling that REST and Bulk answers share. ok is
// false for null, which includes the empty text: the platform stores none.
func canonical(typ FieldType, s string) (text string, ok bool, err error) {
	switch typ {
	case TypeInt, TypeLong, TypeDouble, TypeCurrency, TypePercent:
		if s = strings.TrimSpace(s); s == "" {
			return "", false, nil
		}
		text, err = canonicalNumber(s)
	case TypeBoolean:
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "":
			return "", false, nil
		case "true":
			text = "true"
		case "false":
			text = "false"
		default:
			err = fault.New(fault.Record, "%s is neither true nor false", excerpt(s))
		}
	case TypeDateTime:
		if s = strings.TrimSpace(s); s == "" {
			return "", false, nil
		}
		text, err = canonicalDateTime(s)
	case TypeDate:
		if s = strings.TrimSpace(s); s == "" {
			return "", false, nil
		}
		if _, bad := time.Parse(time.DateOnly, s); bad != nil {
			err = fault.New(fault.Record, "%s is not a date", excerpt(s))
		}
		text = s
	case TypeTime:
		if s = strings.TrimSpace(s); s == "" {
			return "", false, nil
		}
		text, err = canonicalTime(s)
	case TypeAny:
		text = canonicalAny(canonicalText(s))
	default:
		text = canonicalText(s)
	}
	return text, err == nil && text != "", err
}

// canonicalJSON is canonical for a JSON value. Objects (addresses, locations) and
// lists become compact JSON with sorted keys.
func canonicalJSON(typ FieldType, raw json.RawMessage) (string, bool, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "", false, nil
	}
	switch raw[0] {
	case 'n':
		return "", false, nil
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", false, fault.Wrap(fault.Record, err, "read a text")
		}
		return canonical(typ, s)
	case '{', '[':
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return "", false, fault.Wrap(fault.Record, err, "read a compound value")
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return "", false, fault.Wrap(fault.Record, err, "write a compound value")
		}
		return strings.TrimSpace(b.String()), true, nil
	}
	return canonical(typ, string(raw))
}

// appendCanonical appends what canonical makes of s, and nothing for null. Most values are
// spelt so that they can be taken as they are, or nearly: these ways are short, and all
// others lead to canonical.
func appendCanonical(out []byte, typ FieldType, s []byte) ([]byte, error) {
	switch typ {
	case TypeInt, TypeLong, TypeDouble, TypeCurrency, TypePercent:
		if n, plain := plainNumber(s); plain {
			return append(out, n...), nil
		}
	case TypeBoolean:
		if string(s) == "true" || string(s) == "false" {
			return append(out, s...), nil
		}
	case TypeDateTime:
		if plainDateTime(s) {
			return append(append(out, s[:len(stampLayout)-1]...), 'Z'), nil
		}
	case TypeDate, TypeTime, TypeAny:
	default:
		return appendText(out, s), nil
	}
	text, _, err := canonical(typ, string(s))
	return append(out, text...), err
}

// appendText is canonicalText, appended.
func appendText(out, s []byte) []byte {
	if bytes.IndexByte(s, 0) >= 0 || !utf8.Valid(s) {
		return append(out, canonicalText(string(s))...)
	}
	for {
		i := bytes.IndexByte(s, '\r')
		if i < 0 {
			return append(out, s...)
		}
		out = append(append(out, s[:i]...), '\n')
		if s = s[i+1:]; len(s) > 0 && s[0] == '\n' {
			s = s[1:]
		}
	}
}

// plainNumber takes numbers of at most eighteen digits whose spelling needs nothing but the
// loss of zeros behind the point: "3.0", "-12.50".
func plainNumber(s []byte) (canonical []byte, ok bool) {
	digits := s
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	point := bytes.IndexByte(digits, '.')
	whole := digits
	if point >= 0 {
		whole = digits[:point]
		if point == len(digits)-1 {
			return nil, false
		}
	}
	if len(whole) == 0 || len(digits) > 19 || whole[0] == '0' && len(whole) > 1 {
		return nil, false
	}
	for i, c := range digits {
		if i != point && (c < '0' || c > '9') {
			return nil, false
		}
	}
	if point >= 0 {
		s = bytes.TrimRight(s, "0")
		s = bytes.TrimSuffix(s, []byte{'.'})
	}
	return s, string(s) != "-0"
}

// plainDateTime tells the two spellings of the API: REST's and Bulk's, in UTC.
func plainDateTime(s []byte) bool {
	const seconds = len(stampLayout) - 1
	if len(s) < seconds+5 || s[seconds] != '.' || !digit(s[seconds+1]) || !digit(s[seconds+2]) || !digit(s[seconds+3]) {
		return false
	}
	if zone := string(s[seconds+4:]); zone != "Z" && zone != "+0000" {
		return false
	}
	_, ok := civil(s)
	return ok
}

// moment is an instant in its parts, in UTC.
type moment struct{ year, month, day, hour, minute, second int }

func (m moment) time() time.Time {
	return time.Date(m.year, time.Month(m.month), m.day, m.hour, m.minute, m.second, 0, time.UTC)
}

// civil reads the "2006-01-02T15:04:05" that s begins with, as strictly as time.Parse does and
// in a tenth of its time.
func civil[T string | []byte](s T) (m moment, ok bool) {
	const shape = "0000-00-00T00:00:00"
	if len(s) < len(shape) {
		return m, false
	}
	for i := range len(shape) {
		if shape[i] == '0' && !digit(s[i]) || shape[i] != '0' && s[i] != shape[i] {
			return m, false
		}
	}
	two := func(at int) int { return int(s[at]-'0')*10 + int(s[at+1]-'0') }
	m = moment{two(0)*100 + two(2), two(5), two(8), two(11), two(14), two(17)}
	if m.month < 1 || m.month > 12 || m.day < 1 || m.hour > 23 || m.minute > 59 || m.second > 59 {
		return m, false
	}
	return m, m.day <= 28 || m.time().Day() == m.day // else the month is shorter and time has gone on to the next
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// canonicalText makes every line end a line feed and drops NUL, which Bulk answers
// are known to carry and PostgreSQL does not store. Bytes that are not UTF-8
// become U+FFFD one by one, as encoding/json does it.
func canonicalText(s string) string {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

var numberShape = regexp.MustCompile(`^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,9}))?$`)

// maxExponent bounds how far an exponent is written out; a double ends at 308.
const maxExponent = 400

// canonicalNumber writes a number with no exponent, no plus and no needless zero:
// 3.0 and 3 and 0.3e1 are "3". It works on digits, so no digit is rounded.
func canonicalNumber(s string) (string, error) {
	m := numberShape.FindStringSubmatch(s)
	if m == nil || m[2]+m[3] == "" {
		return "", fault.New(fault.Record, "%s is not a number", excerpt(s))
	}
	digits, point := m[2]+m[3], len(m[2])
	if m[4] != "" {
		exponent, err := strconv.Atoi(m[4])
		if err != nil || exponent > maxExponent || exponent < -maxExponent {
			return "", fault.New(fault.Record, "%s is outside the range of numbers", excerpt(s))
		}
		point += exponent
	}
	if point < 0 {
		digits, point = strings.Repeat("0", -point)+digits, 0
	}
	if point > len(digits) {
		digits += strings.Repeat("0", point-len(digits))
	}
	whole, fraction := strings.TrimLeft(digits[:point], "0"), strings.TrimRight(digits[point:], "0")
	if whole == "" {
		whole = "0"
	}
	text := whole
	if fraction != "" {
		text += "." + fraction
	}
	if m[1] == "-" && text != "0" {
		text = "-" + text
	}
	return text, nil
}

// dateTimeLayouts are the spellings seen: REST writes +0000, Bulk writes Z. A
// fraction of a second is read by any of them.
var dateTimeLayouts = []string{"2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07:00"}

// DateTimeLayout is how the REST API writes an instant.
const DateTimeLayout = "2006-01-02T15:04:05.000-0700"

// stampLayout is the canonical spelling of an instant.
const stampLayout = "2006-01-02T15:04:05Z"

func parseDateTime(s string) (time.Time, error) {
	for _, layout := range dateTimeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Truncate(time.Second), nil
		}
	}
	return time.Time{}, fault.New(fault.Record, "%s is not a datetime", excerpt(s))
}

func canonicalDateTime(s string) (string, error) {
	t, err := parseDateTime(s)
	if err != nil {
		return "", err
	}
	return t.Format(stampLayout), nil
}

func canonicalTime(s string) (string, error) {
	for _, layout := range []string{"15:04:05Z07:00", "15:04:05Z0700", "15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Format("15:04:05.000Z"), nil
		}
	}
	return "", fault.New(fault.Record, "%s is not a time of day", excerpt(s))
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// canonicalAny serves fields of no fixed type (OldValue and NewValue of history
// objects). CSV does not say whether 3.0 was a number, so what looks like a number
// or an instant is spelt as one from both sides.
func canonicalAny(s string) string {
	if jsonNumber.MatchString(s) {
		if n, err := canonicalNumber(s); err == nil {
			return n
		}
	}
	if len(s) >= len(stampLayout) && len(s) <= 40 && s[4] == '-' {
		if t, err := canonicalDateTime(s); err == nil {
			return t
		}
	}
	return s
}
