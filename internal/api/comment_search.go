package api

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/words"
)

// maxProperties is how many properties one search may ask for.
const maxProperties = 16

// searchComments gives one page of those of a source's comments that q, property and thread_id let
// through, in the order of listComments. A page ends where it took enough work: it may be short, or
// empty, and still have a continuation.
func (a *API) searchComments(c *call) (reply, error) {
	ctx, values := c.r.Context(), c.r.URL.Query()
	q, err := readCommentQuery(values, c.source.ID)
	if err != nil {
		return nil, err
	}
	filter, err := c.readSearch(values)
	if err != nil {
		return nil, err
	}
	page, next, err := a.store.SearchComments(ctx, store.CommentSearch{CommentQuery: q, Number: c.source.Number, Filter: filter})
	if err != nil {
		return nil, err
	}
	out := c.pageOf(q, page, next)
	if filter.NeedsIndex() {
		lag, err := a.store.WordsLag(ctx, c.source.ID)
		if err != nil {
			return nil, err
		}
		out["index_lag_seconds"] = lag.Seconds()
	}
	return out, nil
}

// readSearch reads what is looked for. A continuation does not carry it: it is sent again.
func (c *call) readSearch(values url.Values) (f words.Filter, err error) {
	if text := values.Get("q"); text != "" {
		if f.Query, err = words.ParseQuery(text); err != nil {
			return f, err
		}
	}
	if n := len(values["property"]); n > maxProperties {
		return f, fault.New(fault.Invalid, "property is given %d times, at most %d", n, maxProperties)
	}
	for _, text := range values["property"] {
		property, err := readProperty(text)
		if err != nil {
			return f, err
		}
		if err := c.allowProperty(property); err != nil {
			return f, err
		}
		f.Properties = append(f.Properties, property)
	}
	if f.ThreadID = values.Get("thread_id"); !validThread(f.ThreadID) {
		return f, fault.New(fault.Invalid, "thread_id is no id of a thread")
	}
	return f, nil
}

func validThread(id string) bool {
	return utf8.ValidString(id) && !strings.ContainsRune(id, 0) && utf8.RuneCountInString(id) <= comment.MaxThreadID
}

// readProperty reads string:Name=value or number:Name=value, and spells numbers in one way. A name may
// have an = as well: where it ends makes no difference to what is found.
func readProperty(text string) (string, error) {
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

// allowProperty refuses to filter by a sensitive property, whose values could be guessed one by one. The
// name is no secret: the source lists it. property may have "=value" behind the name.
func (c *call) allowProperty(property string) error {
	_, name, _ := strings.Cut(property, ":")
	for _, hidden := range c.hiddenProperties() {
		if slices.ContainsFunc([]string{property, name}, func(s string) bool { return s == hidden || strings.HasPrefix(s, hidden+"=") }) {
			return fault.New(fault.Forbidden, "filtering by the sensitive property %.64q needs the permission sources-read-sensitive on project %s", hidden, c.project)
		}
	}
	return nil
}
