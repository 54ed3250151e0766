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
