package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/transform"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain PROJECT/INTEGRATION ID",
		Short: "Show how a comment's text came about: what was set apart, by which rule",
		Long: `Takes the raw copy of a comment's record apart once more, with the cleaning of this release, and
shows what was set apart, which rule did it, and what the comment has cost in AI units. ID is the comment's or the Salesforce record's.
Nothing is changed, and Salesforce is not asked.`,
		Example: `  starter explain support/salesforce-prod 02s5e00000AbCdEAAV`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fault.New(fault.Invalid, "PROJECT/INTEGRATION and one Id must be given")
			}
			return oneName(cmd, args[:1])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), args[0], nil, func(ctx context.Context, s *steering) error { return s.explain(ctx, args[1]) })
		},
	}
}

// explanationView is the answer in JSON: a contract with scripts.
type explanationView struct {
	Object    string     `json:"object"`
	RecordID  string     `json:"record_id"`
	Version   int        `json:"cleaning_version"`
	InForce   int        `json:"cleaning_version_in_force"`
	Same      bool       `json:"same"`
	Mail      bool       `json:"mail"`
	Text      string     `json:"text"`
	Reply     string     `json:"reply"`
	Signature string     `json:"signature"`
	Spans     []spanView `json:"spans"`
	Units     []unitView `json:"ai_units"`            // what the comment has cost, oldest first
	SetAside  string     `json:"set_aside,omitempty"` // why it cannot become a comment, or no longer the one it was
}

// unitView is one AI unit.
type unitView struct {
	At       time.Time `json:"at"`
	Revision int       `json:"revision"`
	Reason   string    `json:"reason"`
	Lane     string    `json:"lane"`
}

// spanView counts characters of the text.
type spanView struct {
	clean.Span
	Text string `json:"text"`
}

func (s *steering) explain(ctx context.Context, id string) error {
	recordID := transform.RecordOf(id)
	if recordID == "" {
		recordID = salesforce.To18(id)
	}
	if recordID == "" {
		return fault.New(fault.Invalid, "%.100q is neither the id of a comment that was made of a record nor a Salesforce Id", id)
	}
	target, err := s.db.LoadTarget(ctx, s.i.Project, s.i.Name)
	if err != nil {
		return err
	}
	object, record, err := s.db.StoredRecordOf(ctx, target.SourceID, recordID)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "%s has no record %s", s.name(), recordID).
			WithHint("it was not read: does it fulfil `where`, and may the integration user see it? starter check %s", s.name())
	}
	if err != nil {
		return err
	}
	plan, err := planOf(target, object)
	if err != nil {
		return err
	}
	aside, err := s.db.SetAsideReason(ctx, target.SourceID, object, recordID)
	if err != nil {
		return err
	}
	e, err := transform.Explain(plan, s.db.RawReader(ctx, target.SourceID, object), record)
	if fault.Is(err, fault.NotFound) && aside != "" {
		return fault.New(fault.NotFound, "record %s is no comment, and there is no raw copy of it: %s", recordID, aside)
	}
	if err != nil {
		return err
	}
	v := explanationView{Object: object, RecordID: recordID, Version: e.Version, InForce: e.InForce, Same: e.Same, Mail: e.Mail, Text: e.Text, Reply: e.Reply, Signature: e.Signature, SetAside: aside, Spans: []spanView{}}
	for i, span := range e.Characters() {
		v.Spans = append(v.Spans, spanView{span, e.Text[e.Spans[i].Start:e.Spans[i].End]})
	}
	units, err := s.db.CommentUnits(ctx, target.SourceID, record.CommentID)
	if err != nil {
		return err
	}
	v.Units = []unitView{}
	for _, u := range units {
		v.Units = append(v.Units, unitView{u.At.UTC(), u.Revision, u.Reason, u.Lane})
	}
	if s.app.json {
		return s.app.printJSON(v)
	}
	_, err = io.WriteString(s.app.out, v.words(e.Spans))
	return err
}

// words is the text with what was set apart marked at its lines. The spans count bytes.
func (v explanationView) words(spans []clean.Span) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: cleaning version %d", v.Object, v.RecordID, v.Version)
	switch {
	case v.Same:
		b.WriteString(", which gives the stored text\n")
	case v.InForce > 0:
		fmt.Fprintf(&b, "; the stored text is another one, made by version %d\n", v.InForce)
	default:
		b.WriteString("; it is no comment\n")
	}
	if v.SetAside != "" {
		fmt.Fprintf(&b, "set aside: %s\n", v.SetAside)
	}
	lines := func(mark, text string) {
		for line := range strings.Lines(text) {
			fmt.Fprintf(&b, "%-28s| %s\n", mark, strings.TrimRight(line, "\n"))
			mark = ""
		}
	}
	at := 0
	for _, span := range spans {
		lines("", v.Text[at:span.Start])
		lines(string(span.Kind)+", "+span.Rule, v.Text[span.Start:span.End])
		at = span.End
	}
	lines("", v.Text[at:])
	for _, u := range v.Units {
		fmt.Fprintf(&b, "1 AI unit at %s: %s, revision %d, %s\n", when(&u.At), strings.ReplaceAll(u.Reason, "_", " "), u.Revision, u.Lane)
	}
	return b.String()
}
