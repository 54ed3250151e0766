package clean

import "strings"

// attributes are those of one tag that matter, as they are written.
type attributes struct {
	style, class, id, href, alt, kind, start, value, border string
	hidden, closed                                          bool
}

// attributes reads up to the end of a tag.
func (r *reader) attributes(i int) (end int, ok bool) {
	src := r.src
	first := i
	r.attr = attributes{}
	for i < len(src) {
		switch c := src[i]; {
		case c == '>':
			return i + 1, true
		case c == '/':
			r.attr.closed = i+1 < len(src) && src[i+1] == '>'
			i++
			continue
		case classes[c] == space:
			i++
			continue
		}
		start := i
		i++ // an equals sign that comes first is part of the name
		for i < len(src) && src[i] != '=' && src[i] != '>' && src[i] != '/' && classes[src[i]] != space {
			i++
		}
		name, value := src[start:i], ""
		for i < len(src) && classes[src[i]] == space {
			i++
		}
		if i < len(src) && src[i] == '=' {
			value, i = r.value(i + 1)
		}
		r.attr.set(name, value)
	}
	// Nothing ends it. The first ">" does, be it inside of quotes, or it is no tag.
	if r.sought++; r.sought > maxSeek {
		r.noTag = true
		return 0, false
	}
	r.attr = attributes{}
	at := strings.IndexByte(src[first:], '>')
	if at < 0 {
		r.noTag = true
		return 0, false
	}
	return first + at + 1, true
}

// value reads the value of an attribute.
func (r *reader) value(i int) (value string, end int) {
	src := r.src
	for i < len(src) && classes[src[i]] == space {
		i++
	}
	if i == len(src) {
		return "", i
	}
	if quote := src[i]; quote == '"' || quote == '\'' {
		if n := strings.IndexByte(src[i+1:], quote); n >= 0 {
			return src[i+1 : i+1+n], i + n + 2
		}
		return "", len(src)
	}
	start := i
	for i < len(src) && src[i] != '>' && classes[src[i]] != space {
		i++
	}
	return src[start:i], i
}

// set keeps an attribute that matters. The first of a name counts.
func (a *attributes) set(name, value string) {
	var field *string
	switch len(name) {
	case 2:
		if equalFold(name, "id") {
			field = &a.id
		}
	case 3:
		if equalFold(name, "alt") {
			field = &a.alt
		}
	case 4:
		switch {
		case equalFold(name, "href"):
			field = &a.href
		case equalFold(name, "type"):
			field = &a.kind
		}
	case 5:
		switch {
		case equalFold(name, "style"):
			field = &a.style
		case equalFold(name, "class"):
			field = &a.class
		case equalFold(name, "start"):
			field = &a.start
		case equalFold(name, "value"):
			field = &a.value
		}
	case 6:
		switch {
		case equalFold(name, "border"):
			field = &a.border
		case equalFold(name, "hidden"):
			a.hidden = true
		}
	}
	if field != nil && *field == "" {
		*field = value
	}
}
