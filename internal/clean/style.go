package clean

import "strings"

// style is what of a style attribute matters to text.
type style uint16

const (
	styleHidden   style = 1 << iota // display: none and the like
	styleBlock                      // display: block
	styleInline                     // display: inline
	styleTiny                       // letters of no size
	styleSized                      // letters of a size that can be read
	stylePre                        // white space counts
	styleNormal                     // white space collapses
	styleTight                      // no space above
	styleClose                      // no space below
	styleBorder                     // a line is drawn above
	styleOpen                       // no border at all
	styleUnmarked                   // list items without marks
	styleListMark                   // Word's own mark of a list item
	styleFlat                       // height of nothing
	styleClipped                    // what does not fit is not shown
	styleApart                      // display: inline-block and the like
)

// parseStyle reads a style attribute, declaration by declaration. Of what it does
// not know nothing changes what is read.
func parseStyle(s string) style {
	var out style
	for s != "" {
		for s != "" && (isSpace(s[0]) || s[0] == ';') {
			s = s[1:]
		}
		if s == "" {
			break
		}
		end := strings.IndexByte(s, ';')
		if end < 0 {
			end = len(s)
		}
		declaration := s[:end]
		s = s[end:]
		switch lower(declaration[0]) {
		case 'b', 'd', 'f', 'h', 'l', 'm', 'o', 'v', 'w':
			if colon := strings.IndexByte(declaration, ':'); colon > 0 {
				out = declare(out, trimBlank(declaration[:colon]), trimBlank(declaration[colon+1:]))
			}
		}
	}
	if out&styleFlat != 0 && out&styleClipped != 0 {
		out |= styleHidden
	}
	return out
}

// declare adds one declaration to what is known: the last one of a name holds.
func declare(out style, name, value string) style {
	switch {
	case equalFold(name, "display"):
		out &^= styleHidden | styleBlock | styleInline | styleApart
		switch {
		case hasFold(value, "none"):
			out |= styleHidden
		case hasFold(value, "inline-"):
			out |= styleInline | styleApart
		case hasFold(value, "inline"):
			out |= styleInline
		case hasFold(value, "block"), hasFold(value, "flex"), hasFold(value, "table") && !hasFold(value, "table-c"), hasFold(value, "list-item"):
			out |= styleBlock
		}
	case equalFold(name, "visibility"):
		if hasFold(value, "hidden") || hasFold(value, "collapse") {
			out |= styleHidden
		}
	case equalFold(name, "opacity"):
		if isZero(value) {
			out |= styleHidden
		}
	case equalFold(name, "font-size"):
		out &^= styleTiny | styleSized
		if isZero(value) || equalFold(value, "1px") {
			out |= styleTiny
		} else {
			out |= styleSized
		}
	case equalFold(name, "max-height"), equalFold(name, "height"):
		if isZero(value) {
			out |= styleFlat
		}
	case equalFold(name, "overflow"):
		if hasFold(value, "hidden") {
			out |= styleClipped
		}
	case equalFold(name, "white-space"):
		out &^= stylePre | styleNormal
		if hasFold(value, "pre") || hasFold(value, "break-spaces") {
			out |= stylePre
		} else {
			out |= styleNormal
		}
	case equalFold(name, "margin"):
		top, bottom := margins(value)
		out = set(set(out, styleTight, isZero(top)), styleClose, isZero(bottom))
	case equalFold(name, "margin-top"):
		out = set(out, styleTight, isZero(value))
	case equalFold(name, "margin-bottom"):
		out = set(out, styleClose, isZero(value))
	case equalFold(name, "border"):
		if hasFold(value, "none") || isZero(value) {
			out = out&^styleBorder | styleOpen
		}
	case equalFold(name, "border-top"):
		out = set(out, styleBorder, value != "" && !hasFold(value, "none") && !isZero(value))
	case equalFold(name, "list-style"), equalFold(name, "list-style-type"):
		out = set(out, styleUnmarked, indexFold(value, "none") >= 0)
	case equalFold(name, "mso-list"):
		if hasFold(value, "ignore") {
			out |= styleListMark
		}
	}
	return out
}

func set(s, bit style, on bool) style {
	if on {
		return s | bit
	}
	return s &^ bit
}

// isZero reports whether a length is nothing, whatever its unit: "0", "0px", ".0001pt", "0.0in".
func isZero(value string) bool {
	digits := false
	for i := range len(value) {
		switch c := value[i]; {
		case c == '0':
			digits = true
		case c == '.':
		case isDigit(c):
			// Word writes .0001pt where it means nothing.
			return strings.HasPrefix(value, ".000") || strings.HasPrefix(value, "0.000")
		default:
			return digits
		}
	}
	return digits
}

// margins is what a margin says about above and below.
func margins(value string) (top, bottom string) {
	top, rest := field(value)
	_, rest = field(rest)
	if third, _ := field(rest); third != "" {
		return top, third
	}
	return top, top
}

func field(s string) (first, rest string) {
	s = trimBlank(s)
	for i := range len(s) {
		if isSpace(s[i]) {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

func trimBlank(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}
