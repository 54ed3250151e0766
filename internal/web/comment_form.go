package web

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/find"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
	"salesforcesync/internal/words"
)

// commentForm is the search for comments as people write it: every field is a parameter of the page's
// address. Times without a clock are days, UTC.
type commentForm struct {
	Text       string // q
	Source     string // project/source; "" = all that one may read
	From, To   string
	Direction  string // inbound, outbound or ""
	Oldest     bool   // first
	Properties []string
	// A property that is being added.
	Name, Value string
	Problems    map[string]string // by field

	query  store.CommentQuery
	filter words.Filter
}

// readCommentForm reads the fields; what is wrong with one is said in Problems.
func readCommentForm(values url.Values) *commentForm {
	f := &commentForm{
		Text: strings.TrimSpace(values.Get("q")), Source: values.Get("source"), From: values.Get("from"), To: values.Get("to"),
		Direction: values.Get("direction"), Oldest: values.Get("order") == "oldest",
		Name: strings.TrimSpace(values.Get("name")), Value: strings.TrimSpace(values.Get("value")), Problems: map[string]string{},
	}
	for _, p := range values["property"] {
		if p != "" && !slices.Contains(f.Properties, p) {
			f.Properties = append(f.Properties, p)
		}
	}
	f.query = store.CommentQuery{Limit: commentsPerPage, Descending: !f.Oldest}
	var err error
	if f.Text != "" {
		if f.filter.Query, err = words.ParseQuery(f.Text); err != nil {
			f.wrong("q", "The search "+strings.TrimPrefix(messageOf(err), "q ")+".")
		}
	}
	if f.filter.Properties, err = find.Properties(f.Properties); err != nil {
		f.wrong("property", sentence(err))
	}
	switch f.Direction {
	case "":
	case transform.DirectionIn, transform.DirectionOut:
		f.filter.Properties = append(f.filter.Properties, "string:"+transform.PropertyDirection+"="+f.Direction)
	default:
		f.wrong("direction", "Choose received or sent.")
	}
	f.query.From = f.time("from", f.From, 0)
	f.query.To = f.time("to", f.To, 24*time.Hour-time.Microsecond)
	if f.query.From != nil && f.query.To != nil && f.query.To.Before(*f.query.From) {
		f.wrong("to", "This is before the first day.")
	}
	return f
}

// messageOf is a fault's own message.
func messageOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Message
	}
	return ""
}

func (f *commentForm) wrong(field, what string) {
	if f.Problems[field] == "" {
		f.Problems[field] = what
	}
}

// time reads a day, or a time as the API takes it. The end of a day is so much behind its begin.
func (f *commentForm) time(field, text string, end time.Duration) *time.Time {
	if text == "" {
		return nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err == nil {
		t = t.Add(end)
	} else if t, err = time.Parse(time.RFC3339Nano, text); err != nil {
		f.wrong(field, "Write a day as 2026-01-31, or a time as 2026-01-31T12:00:00Z.")
		return nil
	}
	return &t
}

// values are the fields that are set, as parameters.
func (f *commentForm) values() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{"q": f.Text, "source": f.Source, "from": f.From, "to": f.To, "direction": f.Direction} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if f.Oldest {
		v.Set("order", "oldest")
	}
	if len(f.Properties) > 0 {
		v["property"] = f.Properties
	}
	return v
}

// path is the page's address with the form, and with other parameters.
func (f *commentForm) path(other ...string) string {
	v := f.values()
	for i := 0; i+1 < len(other); i += 2 {
		v.Set(other[i], other[i+1])
	}
	if len(v) == 0 {
		return "/comments"
	}
	return "/comments?" + v.Encode()
}

// with is the address that asks for one property more; "" when there can be no more, or it is asked
// for already.
func (f *commentForm) with(text string) string {
	if slices.Contains(f.Properties, text) || len(f.Properties) >= find.MaxProperties-1 {
		return ""
	}
	more := *f
	more.Properties = append(slices.Clone(f.Properties), text)
	return more.path()
}

// without is the address that asks for one property less.
func (f *commentForm) without(text string) string {
	less := *f
	less.Properties = slices.DeleteFunc(slices.Clone(f.Properties), func(p string) bool { return p == text })
	return less.path()
}

// Narrow reports whether anything is looked for.
func (f *commentForm) Narrow() bool {
	return f.Text != "" || f.From != "" || f.To != "" || f.Direction != "" || len(f.Properties) > 0
}

// Filtered reports whether more is asked for than words, so that the fields for it are shown.
func (f *commentForm) Filtered() bool {
	return f.Source != "" || f.From != "" || f.To != "" || f.Direction != "" || f.Oldest || f.Name != "" || f.Value != "" || len(f.Problems) > 0
}

// Chips are the properties that are asked for.
func (f *commentForm) Chips() []property {
	var out []property
	for _, text := range f.Properties {
		name, value, _ := strings.Cut(text, "=")
		_, name, _ = strings.Cut(name, ":")
		value, cut := clip(value, 60)
		out = append(out, property{Name: plain(name), Value: plain(value), Cut: cut, Search: f.without(text)})
	}
	return out
}

// add puts the property that is being added to the others. Without string: or number: in front it is
// what the comments at hand say it is, else a text.
func (f *commentForm) add(kinds map[string]string) {
	name := f.Name
	if !strings.HasPrefix(name, "string:") && !strings.HasPrefix(name, "number:") {
		kind := kinds[name]
		if kind == "" {
			kind = "string:"
		}
		name = kind + name
	}
	property, err := find.Property(name + "=" + f.Value)
	switch {
	case err != nil && strings.HasPrefix(name, "number:"):
		f.wrong("value", "Write a number: this property has numbers.")
	case err != nil:
		f.wrong("name", sentence(err))
	case len(f.Properties) >= find.MaxProperties-1:
		f.wrong("name", "A search takes no more properties than these.")
	default:
		if !slices.Contains(f.Properties, property) {
			f.Properties = append(f.Properties, property)
		}
		f.Name, f.Value = "", ""
	}
}

// TimeType is the kind of field that can show a time as it was written.
func (f *commentForm) TimeType(text string) string {
	if _, err := time.Parse(time.DateOnly, text); err != nil && text != "" {
		return "text"
	}
	return "date"
}
