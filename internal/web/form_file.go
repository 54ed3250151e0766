package web

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
)

// formFile writes the fields of a form as an integration file, so that pages and starter hold people to the
// same rules. It knows which line came from which field.
type formFile struct {
	text   strings.Builder
	fields []string // of each line
}

// line writes one line, which belongs to a field.
func (f *formFile) line(field, text string) {
	f.text.WriteString(text + "\n")
	f.fields = append(f.fields, field)
}

// value writes a key, with its indentation, and the text of its field; an optional one only if it has one.
func (f *formFile) value(field, key, value string, optional bool) {
	if value = strings.TrimSpace(value); value != "" || !optional {
		f.line(field, key+": "+strconv.Quote(value)) // YAML reads what Go quotes
	}
}

// whole takes over a file that is known to be good.
func (f *formFile) whole(file []byte) {
	for line := range strings.Lines(string(file)) {
		f.line("", strings.TrimRight(line, "\n"))
	}
}

// read reads the file. What is wrong is told by field.
func (f *formFile) read(checks config.Checks) (config.Integration, fieldErrors, error) {
	checks.NoSecrets = true
	spec, err := config.ReadIntegration("the form", []byte(f.text.String()), checks)
	if err == nil {
		return spec, nil, nil
	}
	problems := config.ProblemsOf(err)
	if len(problems) == 0 {
		return spec, nil, err
	}
	wrong := fieldErrors{}
	for _, p := range problems {
		field := ""
		if p.Line >= 1 && p.Line <= len(f.fields) {
			field = f.fields[p.Line-1]
		}
		wrong.add(field, p.Text)
	}
	return spec, wrong, nil
}

// fieldErrors says by the name of a field what is wrong with it; "" is the form as a whole.
type fieldErrors map[string]string

// keyPrefix is the key that a problem of a file begins with, which the field shows already.
var keyPrefix = regexp.MustCompile(`^(?:objects: |connection: |properties: )*(?:[a-z_]+: )?`)

func (e fieldErrors) add(field, text string) {
	text = strings.TrimSpace(keyPrefix.ReplaceAllString(text, ""))
	if text == "" {
		return
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	if before := e[field]; before != "" {
		text = before + " " + text
	}
	e[field] = text
}

// addFault says of a field what an error says, with its next step.
func (e fieldErrors) addFault(field string, err error) {
	text := sentence(err)
	if hint := hintSentence(err); hint != "" {
		text += " " + hint
	}
	e[field] = text
}

// forPeople reports an error that whoever sent a form can do something about.
func forPeople(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && fault.Is(err, fault.Invalid, fault.Conflict, fault.Config, fault.NotFound, fault.Permission, fault.Reauthorize,
		fault.Quota, fault.Stopped, fault.Transient, fault.RateLimited, fault.Unreachable)
}
