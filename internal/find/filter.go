package find

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"salesforcesync/internal/access"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/words"
)

// MaxProperties is how many properties one search may ask for.
const MaxProperties = 16

// Filter reads what is looked for in a source: q, property and thread_id. A continuation does not
// carry it: it is sent again.
func Filter(values url.Values, source store.Source, hidden Hidden) (f words.Filter, err error) {
	if text := values.Get("q"); text != "" {
		if f.Query, err = words.ParseQuery(text); err != nil {
			return f, err
		}
	}
	if f.Properties, err = Properties(values["property"]); err != nil {
		return f, err
	}
	for _, property := range f.Properties {
		if err := hidden.Allow(property, source.Project); err != nil {
			return f, err
		}
	}
	if f.ThreadID = values.Get("thread_id"); !ValidThread(f.ThreadID) {
		return f, fault.New(fault.Invalid, "thread_id is no id of a thread")
	}
	return f, nil
}

// ValidThread reports whether id can be the id of a thread; "" is none.
func ValidThread(id string) bool {
	return utf8.ValidString(id) && !strings.ContainsRune(id, 0) && len(id) <= comment.MaxThreadID
}

// Properties reads the properties that a search asks for.
func Properties(texts []string) (out []string, err error) {
	if n := len(texts); n > MaxProperties {
		return nil, fault.New(fault.Invalid, "property is given %d times, at most %d", n, MaxProperties)
	}
	for _, text := range texts {
		property, err := Property(text)
		if err != nil {
			return nil, err
		}
		out = append(out, property)
	}
	return out, nil
}

// Property reads string:Name=value or number:Name=value, and spells numbers in one way. A name may
// have an = as well: where it ends makes no difference to what is found.
func Property(text string) (string, error) {
	bad := fault.New(fault.Invalid, "property is %.64q, want string:Name=value or number:Name=value", text)
	at := strings.LastIndexByte(text, '=')
	if at < 0 || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", bad
	}
	switch {
	case strings.HasPrefix(text, "string:"):
		return text, nil
	case strings.HasPrefix(text, "number:"):
		n, err := strconv.ParseFloat(strings.TrimSpace(text[at+1:]), 64)
		if err != nil {
			return "", bad
		}
		property, _ := words.PropertyText(text[:at], n)
		return property, nil
	}
	return "", bad
}

// Hidden are names of properties that a caller may not see, with or without string: or number: in
// front. The names are no secret: the source lists them.
type Hidden []string

// HiddenFrom are the source's sensitive properties, unless who may see them.
func HiddenFrom(who access.Principal, source store.Source) Hidden {
	if who.Can(source.Project, access.SourcesReadSensitive) {
		return nil
	}
	return source.SensitiveProperties
}

// Has reports whether a property is hidden; key is string:Name or number:Name.
func (h Hidden) Has(key string) bool {
	_, name, _ := strings.Cut(key, ":")
	return slices.Contains(h, name) || slices.Contains(h, key)
}

// Allow refuses to filter by a hidden property, whose values could be guessed one by one. property
// may have "=value" behind the name.
func (h Hidden) Allow(property, project string) error {
	_, name, _ := strings.Cut(property, ":")
	for _, hidden := range h {
		if slices.ContainsFunc([]string{property, name}, func(s string) bool { return s == hidden || strings.HasPrefix(s, hidden+"=") }) {
			return fault.New(fault.Forbidden, "filtering by the sensitive property %.64q needs the permission sources-read-sensitive on project %s", hidden, project)
		}
	}
	return nil
}
