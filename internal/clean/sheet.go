package clean

import "strings"

// maxConcealed bounds how many names of style sheets are remembered.
const maxConcealed = 256

// sheet reads a style sheet for the classes and ids that nobody is to see, such as the
// preview text of a newsletter. Only rules for a class or an id alone count, outside of
// what holds on some screens only: whatever is in doubt is shown.
func (r *reader) sheet(css string) {
	if !strings.Contains(css, "none") && !strings.Contains(css, "hidden") {
		return
	}
	css = uncommented(css)
	for {
		open := strings.IndexByte(css, '{')
		if open < 0 {
			return
		}
		selectors := css[:open]
		for _, before := range []string{";", "<!--"} {
			if at := strings.LastIndex(selectors, before); at >= 0 {
				selectors = selectors[at+len(before):]
			}
		}
		selectors = trimBlank(selectors)
		if strings.HasPrefix(selectors, "@") {
			css = css[open:]
			css = css[braces(css):]
			continue
		}
		css = css[open+1:]
		end := strings.IndexByte(css, '}')
		if end < 0 {
			return
		}
		r.rule(selectors, css[:end])
		css = css[end+1:]
	}
}

// uncommented is a style sheet without its comments.
func uncommented(css string) string {
	if !strings.Contains(css, "/*") {
		return css
	}
	var b strings.Builder
	for {
		before, after, more := strings.Cut(css, "/*")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		if _, css, more = strings.Cut(after, "*/"); !more {
			return b.String()
		}
	}
}

// braces is how long the block is that s begins with, with all that is in it.
func braces(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// rule remembers what the selectors of a rule name, if its declarations hide it, and
// forgets it if they show it: the last rule holds.
func (r *reader) rule(selectors, declarations string) {
	sty := parseStyle(declarations)
	if sty&(styleHidden|styleBlock|styleInline) == 0 || indexFold(declarations, "opacity") >= 0 { // which comes and goes
		return
	}
	for selectors != "" {
		var name string
		name, selectors, _ = strings.Cut(selectors, ",")
		name = trimBlank(name)
		switch {
		case !isSelector(name):
		case sty&styleHidden == 0:
			delete(r.concealed, name)
		case len(r.concealed) < maxConcealed:
			if r.concealed == nil {
				r.concealed = map[string]bool{}
			}
			r.concealed[name] = true
		}
	}
}

// isSelector reports whether s is a class or an id alone.
func isSelector(s string) bool {
	if len(s) < 2 || s[0] != '.' && s[0] != '#' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// conceals reports whether a style sheet hides an element with these attributes.
func (r *reader) conceals(a *attributes) bool {
	for class := a.class; class != ""; {
		var word string
		word, class = field(class)
		if word != "" && r.concealed["."+word] {
			return true
		}
	}
	return a.id != "" && r.concealed["#"+a.id]
}
