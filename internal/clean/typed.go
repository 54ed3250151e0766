package clean

import (
	"bytes"
	"strings"
)

// typed reports whether a document is a text with line ends that somebody only called
// HTML: no tag in it makes a line, or letters bold. Its lines are lines then, and
// "<see below>" is text. Browsers run such lines together; who wrote them did not mean it.
//
// It looks from the end on and no further than the first tag that is one, which most
// documents end with. Tags in comments count too: then it is somebody's HTML.
func typed(document string) bool {
	rest := document
	for {
		at := strings.LastIndexByte(rest, '<')
		if at < 0 {
			return strings.IndexByte(document, '\n') >= 0
		}
		tag := strings.TrimPrefix(document[at+1:min(len(document), at+maxTag)], "/")
		rest = rest[:at]
		name, length := tagName(tag)
		if length == 0 {
			continue
		}
		switch id, kind := element(name); {
		case kind == raw, kind == nothing, id == idOther && kind == void: // style, html, meta
		case id != idOther, inlineNames[string(name)], bytes.IndexByte(name, ':') > 0: // the last are Word's
			if isTag(tag[length:]) {
				return false
			}
		}
	}
}

// maxTag is how much of a tag is looked at to tell it from text.
const maxTag = 256

// tagName is the name at the beginning of s in lower case, and its length; none when
// it is longer than any, or ends as no name of a tag does.
func tagName(s string) (name []byte, length int) {
	for length < len(s) && (isLetter(s[length]) || isDigit(s[length]) || s[length] == ':' && length+1 < len(s) && isLetter(s[length+1])) {
		if length == 12 {
			return nil, 0
		}
		name = append(name, lower(s[length]))
		length++
	}
	if length == 0 || !isLetter(s[0]) || length == len(s) || s[length] != '>' && s[length] != '/' && !isSpace(s[length]) {
		return nil, 0
	}
	return name, length
}

// isTag reports whether what follows a tag's name does so in a tag: its end, or
// attributes with values.
func isTag(rest string) bool {
	end := strings.IndexByte(rest, '>')
	if end < 0 {
		end = len(rest)
	}
	inside := trimBlank(rest[:end])
	return inside == "" || inside == "/" || strings.IndexByte(inside, '=') > 0
}

// inlineNames are the elements in a line that [element] has no name for.
var inlineNames = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields("abbr acronym bdi bdo big data del dfn ins kbd label map mark meter nobr optgroup option output " +
		"picture progress q rb rp rt ruby s samp slot strike sub sup time tt var") {
		m[name] = true
	}
	return m
}()
