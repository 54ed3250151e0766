package web

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"salesforcesync/internal/access"
	"salesforcesync/internal/clean"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// Bounds of the view of a record.
const (
	cameChars  = 100_000 // of the text that came
	fieldChars = 20_000  // of one field
	rawChars   = 200_000 // of all fields
	shortField = 200     // characters that need no folding
)

// cleaningView is a record as it came beside what is kept of it.
type cleaningView struct {
	Problem  string // why there is nothing to show; "" = there is
	Hint     string
	Object   string
	RecordID string
	Version  int // of the cleaning that explains
	InForce  int // that made the stored text
	Same     bool
	Mail     bool
	Came     []stretch
	Kinds    []string // of the spans, for the legend
	Cut      bool
	Kept     []piece
	Signed   []piece

	Fields []field
	Secret bool   // the fields are not for the visitor
	NoRaw  string // why there are no fields
}

// stretch is a part of the text that came.
type stretch struct {
	Kind, Rule string // "" = it is kept
	Pieces     []piece
}

// Label is what it was set apart as, and by which rule.
func (s stretch) Label() string {
	if s.Rule == s.Kind {
		return s.Kind
	}
	return s.Kind + ": " + s.Rule
}

// field is a field of the raw record.
type field struct {
	Name   string
	Text   []piece
	Length int64 // characters
	Cut    bool
	Long   bool
}

// cleaning explains the text of a comment, and shows its record to those who may see it.
func (web *Web) cleaning(v *visit, source *store.Source, c *store.StoredComment) (*cleaningView, error) {
	ctx := v.r.Context()
	out := &cleaningView{RecordID: transform.RecordOf(c.ID), Secret: !v.who.Can(source.Project, access.SourcesReadSensitive)}
	e, record, err := transform.ExplainComment(ctx, web.store, source.ID, c.ID)
	switch {
	case fault.Is(err, fault.NotFound):
		out.Problem, out.Hint = sentence(err), fault.HintOf(err)
		return out, nil
	case err != nil:
		return nil, err
	}
	out.Object, out.Version, out.InForce, out.Same, out.Mail = e.Object, e.Version, e.InForce, e.Same, e.Mail
	out.came(e)
	kept, cut := clip(e.Reply, cameChars)
	out.Kept, out.Cut = pieces(kept, nil), out.Cut || cut
	signed, _ := clip(e.Signature, fieldChars)
	out.Signed = pieces(signed, nil)
	if out.Secret {
		return out, nil
	}
	if record.State == store.RecordDeleted || record.State == store.RecordErased { // the API does not give it either
		out.NoRaw = "The record was deleted in Salesforce."
		return out, nil
	}
	raw, err := transform.RawOf(web.store.RawReader(ctx, source.ID, e.Object), record)
	switch {
	case fault.Is(err, fault.NotFound):
		out.NoRaw = sentence(err)
		return out, nil
	case err != nil:
		return nil, err
	}
	if out.Fields, err = fieldsOf(raw); err != nil {
		return nil, err
	}
	return out, web.reads(v, "records.read_raw", source, 1)
}

// came marks the spans in the text that came.
func (c *cleaningView) came(e transform.Explanation) {
	left, at := cameChars, 0
	add := func(kind, rule string, end int) {
		text, cut := clip(e.Text[at:end], max(left, 0))
		at = end
		left -= len(text)
		if c.Cut = c.Cut || cut; text == "" {
			return
		}
		if kind != "" && !slices.Contains(c.Kinds, kind) {
			c.Kinds = append(c.Kinds, kind)
		}
		c.Came = append(c.Came, stretch{kind, rule, pieces(text, nil)})
	}
	for _, s := range e.Spans {
		add("", "", s.Start)
		add(string(s.Kind), s.Rule, s.End)
	}
	add("", "", len(e.Text))
}

// fieldsOf are the fields of a record, those of its parents under their paths.
func fieldsOf(raw json.RawMessage) ([]field, error) {
	var record map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // as Salesforce wrote them
	if err := d.Decode(&record); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "read a raw copy")
	}
	left := rawChars
	var out []field
	var walk func(prefix string, record map[string]any)
	walk = func(prefix string, record map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(record)) {
			if name == "attributes" { // of the answer, not of the record
				continue
			}
			var text string
			switch value := record[name].(type) {
			case nil:
				continue
			case map[string]any:
				walk(prefix+name+".", value)
				continue
			case string:
				text = value
			default:
				encoded, _ := json.Marshal(value) // it was decoded a moment ago
				text = string(encoded)
			}
			if text == "" {
				continue
			}
			f := field{Name: prefix + name, Length: int64(len([]rune(text)))}
			text, f.Cut = clip(text, max(0, min(left, fieldChars)))
			left -= len(text)
			f.Long = f.Length > shortField || strings.Count(text, "\n") > 3
			f.Text = pieces(text, nil)
			out = append(out, f)
		}
	}
	walk("", record)
	return out, nil
}

// spanKinds are the kinds of spans in words, for the legend.
var spanKinds = map[string]string{
	string(clean.Quote): "quoted from another mail", string(clean.Signature): "signature", string(clean.Disclaimer): "disclaimer", string(clean.Token): "reference that Salesforce finds the case by",
}

// legendLine is a kind of span and what it is.
type legendLine struct{ Kind, Label string }

// Legend says what the kinds of spans are.
func (c *cleaningView) Legend() []legendLine {
	var out []legendLine
	for _, kind := range c.Kinds {
		out = append(out, legendLine{kind, spanKinds[kind]})
	}
	return out
}
