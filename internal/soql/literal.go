package soql

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"salesforcesync/internal/fault"
)

// LiteralKind says what a literal is.
type LiteralKind int

// The kinds of literal.
const (
	Null     LiteralKind = iota
	String               // 'Acme'
	Pattern              // the right side of LIKE; its \% \_ and \\ stay escaped in Text
	Number               // 12, -3.5
	Boolean              // true, false
	Date                 // 2026-05-01
	DateTime             // 2026-05-01T07:25:37Z
	DateName             // TODAY, LAST_N_DAYS:7; Salesforce evaluates it in the user's time zone
)

// String names the kind for messages.
func (k LiteralKind) String() string {
	return [...]string{"null", "a string", "a LIKE pattern", "a number", "a boolean", "a date", "a datetime", "a date literal"}[k]
}

// Literal is one value in a condition. Text is the value itself, not its
// spelling: a String holds the characters without quotes and escapes; the other
// kinds hold their one canonical spelling.
type Literal struct {
	Kind LiteralKind
	Text string
}

// maxLiteral is the longest string Salesforce takes in a WHERE clause, in characters.
const maxLiteral = 4000

// dateTimeLayout is the one spelling used for instants. Salesforce ignores
// milliseconds in comparisons, so they are not written.
const dateTimeLayout = "2006-01-02T15:04:05Z"

// StringLiteral makes a string.
func StringLiteral(s string) Literal { return Literal{Kind: String, Text: s} }

// BoolLiteral makes true or false.
func BoolLiteral(b bool) Literal { return Literal{Kind: Boolean, Text: fmt.Sprint(b)} }

// IntLiteral makes a whole number.
func IntLiteral(n int64) Literal { return Literal{Kind: Number, Text: fmt.Sprint(n)} }

// DateTimeLiteral makes an instant, in UTC and cut to whole seconds.
func DateTimeLiteral(t time.Time) Literal {
	return Literal{Kind: DateTime, Text: t.UTC().Format(dateTimeLayout)}
}

// NullLiteral makes null.
func NullLiteral() Literal { return Literal{Kind: Null} }

// String renders the literal as SOQL.
func (l Literal) String() string {
	switch l.Kind {
	case Null:
		return "null"
	case String:
		return Quote(l.Text)
	case Pattern:
		return quotePattern(l.Text)
	default:
		return l.Text
	}
}

// valid reports whether the literal's text is one that this package would have
// made, so that a hand-made Literal cannot smuggle text into a query.
func (l Literal) valid() bool {
	switch l.Kind {
	case Null:
		return l.Text == ""
	case String, Pattern:
		return utf8.ValidString(l.Text)
	default:
		got, err := scanBare(l.Text)
		return err == nil && got == l
	}
}

// Quote renders s as a SOQL string literal. Escapes are those of the SOQL
// reference: \n \r \t \b \f \" \' \\ and \uXXXX for other control characters.
// Bytes that are not UTF-8 become U+FFFD.
func Quote(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('\'')
	for _, r := range s {
		writeQuoted(&b, r)
	}
	b.WriteByte('\'')
	return b.String()
}

func writeQuoted(b *strings.Builder, r rune) {
	switch r {
	case '\'', '\\', '"':
		b.WriteByte('\\')
		b.WriteRune(r)
	case '\n':
		b.WriteString(`\n`)
	case '\r':
		b.WriteString(`\r`)
	case '\t':
		b.WriteString(`\t`)
	case '\b':
		b.WriteString(`\b`)
	case '\f':
		b.WriteString(`\f`)
	default:
		if r < 0x20 || r == 0x7f || r == 0x2028 || r == 0x2029 {
			fmt.Fprintf(b, `\u%04X`, r)
			return
		}
		b.WriteRune(r)
	}
}

// quotePattern renders a LIKE pattern: a backslash before \ % or _ belongs to the
// pattern, every other character is quoted as in a string.
func quotePattern(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	escaped := false
	for _, r := range s {
		switch {
		case escaped && (r == '%' || r == '_' || r == '\\'):
			b.WriteByte('\\')
			b.WriteRune(r)
			escaped = false
		case escaped: // a lone backslash: spell it as one
			b.WriteString(`\\`)
			writeQuoted(&b, r)
			escaped = false
		case r == '\\':
			escaped = true
		default:
			writeQuoted(&b, r)
		}
	}
	if escaped {
		b.WriteString(`\\`)
	}
	b.WriteByte('\'')
	return b.String()
}

// unquote reads the inside of a string literal. In a pattern, \% \_ and \\ stay
// as two characters, because there the escape is part of the meaning.
func unquote(inside string, pattern bool) (string, error) {
	var b strings.Builder
	b.Grow(len(inside))
	for i := 0; i < len(inside); {
		if inside[i] != '\\' {
			b.WriteByte(inside[i])
			i++
			continue
		}
		if i+1 >= len(inside) {
			return "", fault.New(fault.Invalid, "the string ends in a backslash")
		}
		c := inside[i+1]
		i += 2
		switch c {
		case 'n', 'N':
			b.WriteByte('\n')
		case 'r', 'R':
			b.WriteByte('\r')
		case 't', 'T':
			b.WriteByte('\t')
		case 'b', 'B':
			b.WriteByte('\b')
		case 'f', 'F':
			b.WriteByte('\f')
		case '"', '\'':
			b.WriteByte(c)
		case '\\':
			b.WriteByte(c)
			if pattern {
				b.WriteByte(c)
			}
		case '%', '_':
			if !pattern {
				return "", fault.New(fault.Invalid, `the escape \%c means something in LIKE only`, c).
					WithHint("write %c without the backslash", c)
			}
			b.WriteByte('\\')
			b.WriteByte(c)
		case 'u', 'U':
			r, n := unquoteUnicode(inside[i-2:])
			if n == 0 {
				return "", fault.New(fault.Invalid, `\u is not followed by the four hex digits of a character`)
			}
			if pattern && r == '\\' {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
			i += n - 2
		default:
			r, _ := utf8.DecodeRuneInString(inside[i-1:])
			return "", fault.New(fault.Invalid, `unknown escape \%c`, r).
				WithHint(`SOQL knows \n \r \t \b \f \" \' \\ and \uXXXX; write \\ for a backslash`)
		}
	}
	return b.String(), nil
}

// unquoteUnicode reads \uXXXX (or a surrogate pair of two) at the start of s and
// returns the character and how many bytes it took, 0 when there is none.
func unquoteUnicode(s string) (rune, int) {
	unit := func(s string) (rune, bool) {
		if len(s) < 6 || s[0] != '\\' || s[1]|0x20 != 'u' {
			return 0, false
		}
		var r rune
		for _, c := range []byte(s[2:6]) {
			switch {
			case isDigit(c):
				r = r<<4 | rune(c-'0')
			case c|0x20 >= 'a' && c|0x20 <= 'f':
				r = r<<4 | rune(c|0x20-'a'+10)
			default:
				return 0, false
			}
		}
		return r, true
	}
	r, ok := unit(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if low, ok := unit(s[6:]); ok {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return 0, 0
}

var (
	numberShape   = regexp.MustCompile(`^([+-]?)([0-9]*)(?:\.([0-9]*))?$`)
	dateShape     = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	dateTimeShape = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]`)
	dateNameShape = regexp.MustCompile(`^([A-Z][A-Z0-9_]*)(?::([0-9]{1,9}))?$`)
)

// scanBare reads a literal that stands without quotes and returns its canonical form.
func scanBare(text string) (Literal, error) {
	switch upper := strings.ToUpper(text); {
	case upper == "NULL":
		return NullLiteral(), nil
	case upper == "TRUE" || upper == "FALSE":
		return BoolLiteral(upper == "TRUE"), nil
	case dateNameShape.MatchString(upper):
		return scanDateName(upper)
	case dateShape.MatchString(text):
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return Literal{}, fault.New(fault.Invalid, "%s is not a day of the calendar", text)
		}
		return Literal{Kind: Date, Text: text}, nil
	case dateTimeShape.MatchString(text):
		return scanDateTime(upper)
	case numberShape.MatchString(text) && strings.ContainsAny(text, "0123456789"):
		return scanNumber(text)
	}
	return Literal{}, fault.New(fault.Invalid, "%s is not a literal", clip(text)).
		WithHint("put text in single quotes; dates are 2026-05-01 and instants 2026-05-01T07:25:37Z, without quotes")
}

func scanDateTime(upper string) (Literal, error) {
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700"} {
		if t, err := time.Parse(layout, upper); err == nil {
			if u := t.UTC(); u.Year() >= 1 && u.Year() <= 9999 {
				return DateTimeLiteral(t), nil
			}
		}
	}
	return Literal{}, fault.New(fault.Invalid, "%s is not an instant", clip(upper)).
		WithHint("write 2026-05-01T07:25:37Z or 2026-05-01T07:25:37+02:00")
}

// scanNumber gives a number one spelling: no plus, no needless zeros.
func scanNumber(text string) (Literal, error) {
	if len(text) > 40 {
		return Literal{}, fault.New(fault.Invalid, "the number %s is longer than 40 characters", clip(text))
	}
	m := numberShape.FindStringSubmatch(text)
	whole, fraction := strings.TrimLeft(m[2], "0"), strings.TrimRight(m[3], "0")
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if m[1] == "-" && whole != "0" {
		whole = "-" + whole
	}
	return Literal{Kind: Number, Text: whole}, nil
}

// dateNames are the date literals; true means that ":n" follows. Source: SOQL
// reference, "Date Formats and Date Literals".
var dateNames = buildDateNames()

func buildDateNames() map[string]bool {
	names := map[string]bool{
		"YESTERDAY": false, "TODAY": false, "TOMORROW": false,
		"LAST_90_DAYS": false, "NEXT_90_DAYS": false,
		"LAST_N_DAYS": true, "NEXT_N_DAYS": true, "N_DAYS_AGO": true,
	}
	for _, unit := range []string{"WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR"} {
		for _, which := range []string{"LAST_", "THIS_", "NEXT_"} {
			names[which+unit] = false
		}
		names["LAST_N_"+unit+"S"] = true
		names["NEXT_N_"+unit+"S"] = true
		names["N_"+unit+"S_AGO"] = true
	}
	return names
}

func scanDateName(upper string) (Literal, error) {
	name, n, counted := strings.Cut(upper, ":")
	wantsCount, known := dateNames[name]
	switch {
	case !known:
		return Literal{}, fault.New(fault.Invalid, "%s is neither a literal nor a date literal", clip(upper)).
			WithHint("put text in single quotes")
	case wantsCount && !counted:
		return Literal{}, fault.New(fault.Invalid, "%s needs a number", name).WithHint("write %s:7", name)
	case !wantsCount && counted:
		return Literal{}, fault.New(fault.Invalid, "%s takes no number", name)
	case counted:
		n = strings.TrimLeft(n, "0")
		if n == "" {
			return Literal{}, fault.New(fault.Invalid, "%s needs a number above zero", name)
		}
		return Literal{Kind: DateName, Text: name + ":" + n}, nil
	}
	return Literal{Kind: DateName, Text: name}, nil
}

// clip shortens what a person wrote so that a message stays one line.
func clip(s string) string {
	const most = 60
	r := []rune(s)
	if len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
