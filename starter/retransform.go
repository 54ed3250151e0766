package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

func (a *app) retransformCommand() *cobra.Command {
	var o retransformOptions
	cmd := &cobra.Command{
		Use:   "retransform PROJECT/INTEGRATION --plan | --apply | --cancel [--object NAME]... [--examples N]",
		Short: "Make texts anew of stored raw copies, with this release's cleaning, or say what that would change",
		Long: `A new release may clean texts better. Texts that are there stay as they are until somebody
asks for it, because a changed text costs an AI unit. Salesforce is not asked for anything.

--plan reads the stored raw copies and says how many texts would change, what that costs, and
how many records have no raw copy any more. It changes nothing. --examples N shows N texts of
each object before and after.
--apply does it, in the worker: what --plan said, when nothing changed in between. Live
changes go on meanwhile, and win. It may be interrupted and goes on where it was; once done,
doing it again costs nothing.
--cancel ends it; what is made anew stays.

What has no raw copy any more keeps its text, unless Salesforce is asked (` + "`starter resync`" + `) and
its text has changed there.`,
		Example: `  starter retransform support/salesforce-prod --plan
  starter retransform support/salesforce-prod --plan --object EmailMessage --examples 3
  starter retransform support/salesforce-prod --apply
  next: starter status support/salesforce-prod --watch`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.valid(); err != nil {
				return err
			}
			return a.steer(cmd.Context(), args[0], nil, func(ctx context.Context, s *steering) error {
				switch {
				case o.plan:
					return o.showPlan(ctx, s)
				case o.apply:
					return o.ask(ctx, s)
				}
				return o.end(ctx, s)
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.plan, "plan", false, "say what would change, and what that costs; change nothing")
	flags.BoolVar(&o.apply, "apply", false, "do it")
	flags.BoolVar(&o.cancel, "cancel", false, "end what is under way; what is made anew stays")
	flags.StringArrayVar(&o.objects, "object", nil, "API name of an object; may be repeated (default: all)")
	flags.IntVar(&o.examples, "examples", 0, "with --plan: show this many texts of each object, before and after")
	return cmd
}

type retransformOptions struct {
	plan, apply, cancel bool
	objects             []string
	examples            int
}

func (o retransformOptions) valid() error {
	given := 0
	for _, flag := range []bool{o.plan, o.apply, o.cancel} {
		if flag {
			given++
		}
	}
	switch {
	case given != 1:
		return fault.New(fault.Invalid, "one of --plan, --apply and --cancel must be given").WithHint("begin with --plan: it changes nothing")
	case o.examples != 0 && !o.plan:
		return fault.New(fault.Invalid, "--examples is for --plan")
	case o.examples < 0 || o.examples > 1000:
		return fault.New(fault.Invalid, "--examples: %d is not a number from 0 to 1000", o.examples)
	}
	return nil
}

// retransformPlan is the answer of --plan in JSON: a contract with scripts.
type retransformPlan struct {
	Project         string              `json:"project"`
	Integration     string              `json:"integration"`
	CleaningVersion int                 `json:"cleaning_version"`
	Units           int64               `json:"units"` // of all objects
	Objects         []retransformObject `json:"objects"`
}

type retransformObject struct {
	Object string `json:"object"`
	flow.RetransformCounts
	Examples []retransformExample `json:"examples"`
}

// retransformExample is a record that would change. Its texts are there only when they were asked for.
type retransformExample struct {
	RecordID  string          `json:"record_id"`
	CommentID string          `json:"comment_id"`
	Outcome   string          `json:"outcome"`
	Version   int             `json:"cleaning_version"` // of the text in force; 0 = there is none
	Reason    string          `json:"reason,omitempty"` // why it cannot become a comment
	Before    []comment.Texts `json:"before,omitempty"`
	After     []comment.Texts `json:"after,omitempty"`
}

// named is how many Ids of examples are named without their texts.
const named = 3

func exampleOf(c transform.Change, texts bool) retransformExample {
	e := retransformExample{RecordID: c.Record.ID, CommentID: c.Record.CommentID, Outcome: c.Remade.Outcome, Version: c.Record.Version, Reason: c.Remade.Row.Reason}
	if made := c.Remade.Row.Comment; made != nil {
		e.CommentID = made.ID
		if texts {
			e.After = made.Texts()
		}
	}
	if c.Before != nil && texts {
		e.Before = c.Before.Comment.Texts()
	}
	return e
}

// showPlan says what would change. What it reads is in memory page by page only.
func (o retransformOptions) showPlan(ctx context.Context, s *steering) error {
	target, err := s.db.LoadTarget(ctx, s.i.Project, s.i.Name)
	if err != nil {
		return err
	}
	names, err := s.hand.ObjectNames(ctx, s.i, o.objects)
	if err != nil {
		return err
	}
	plan := retransformPlan{Project: s.i.Project, Integration: s.i.Name, CleaningVersion: clean.Version}
	for _, name := range names {
		of, err := planOf(target, name)
		if err != nil {
			return err
		}
		total, err := s.db.CountStored(ctx, target.SourceID, name)
		if err != nil {
			return err
		}
		object := retransformObject{Object: name, Examples: []retransformExample{}}
		limit := max(o.examples, named)
		told := newTeller(s.app.talk, name, "records", total)
		object.RetransformCounts, err = transform.Batches{Store: s.db}.PlanRetransform(ctx, target.SourceID, name, of, func(c transform.Change) error {
			if len(object.Examples) < limit && c.Remade.Outcome != store.RemadeMetadata {
				object.Examples = append(object.Examples, exampleOf(c, o.examples > 0))
			}
			return nil
		}, func(c flow.RetransformCounts) { told.tell(c.Records) })
		if err != nil {
			return err
		}
		plan.Units += object.Units
		plan.Objects = append(plan.Objects, object)
	}
	if s.app.json {
		return s.app.printJSON(plan)
	}
	_, err = io.WriteString(s.app.out, plan.words(s.name(), o.examples > 0))
	return err
}

// planOf is the plan by which an object's records become comments.
func planOf(t *store.Target, name string) ([]byte, error) {
	for _, o := range t.Objects {
		if o.Name == name && o.Plan != nil && o.State != "unchecked" {
			return o.Plan, nil
		}
	}
	return nil, fault.New(fault.Conflict, "%s has no checked mapping yet", name).
		WithHint("see what it lacks: starter check %s/%s", t.Project, t.Integration)
}

// words is the plan for people.
func (p retransformPlan) words(name string, texts bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: texts made anew by cleaning version %d\n", name, p.CleaningVersion)
	for _, o := range p.Objects {
		fmt.Fprintf(&b, "\n%s: %s records\n", o.Object, grouped(o.Records))
		for _, line := range []struct {
			n    int64
			what string
		}{
			{o.TextChanged, "texts change: one AI unit each"},
			{o.BodiesShorter, "  of these, bodies get shorter"},
			{o.BodiesLonger, "  bodies get longer"},
			{o.SignaturesLonger, "  signatures are found, or get longer"},
			{o.SignaturesShorter, "  signatures go, or get shorter"},
			{o.Created, "were set aside and become comments: one AI unit each"},
			{o.MetadataChanged, "change but for their texts, at no cost"},
			{o.SetAside, "cannot become comments any more; their comments stay"},
			{o.Unchanged, "stay as they are"},
			{o.WithoutRaw, "have no raw copy: they stay as they are unless Salesforce is asked (starter resync)"},
		} {
			if line.n > 0 {
				fmt.Fprintf(&b, "  %10s  %s\n", grouped(line.n), line.what)
			}
		}
		for _, e := range o.Examples {
			if !texts {
				fmt.Fprintf(&b, "  for example %s, comment %s (%s)\n", e.RecordID, e.CommentID, e.Outcome)
				continue
			}
			fmt.Fprintf(&b, "\n  --- %s, comment %s (%s, cleaning version %d)\n", e.RecordID, e.CommentID, e.Outcome, e.Version)
			block(&b, "before", e.Before)
			block(&b, "after", e.After)
			if e.Reason != "" {
				fmt.Fprintf(&b, "  reason: %s\n", e.Reason)
			}
		}
	}
	fmt.Fprintf(&b, "\nin all: %s AI units\n", grouped(p.Units))
	if p.Units > 0 {
		fmt.Fprintf(&b, "next: starter retransform %s --apply\n", name)
	}
	return b.String()
}

func block(b *strings.Builder, what string, texts []comment.Texts) {
	for _, t := range texts {
		for _, part := range []struct{ name, text string }{{"subject", t.Subject}, {"body", t.Body}, {"signature", t.Signature}} {
			if part.text != "" {
				fmt.Fprintf(b, "  %s, %s:\n    %s\n", what, part.name, strings.ReplaceAll(part.text, "\n", "\n    "))
			}
		}
	}
}

// retransformResult is the answer of --apply and --cancel in JSON.
type retransformResult struct {
	Project         string   `json:"project"`
	Integration     string   `json:"integration"`
	Action          string   `json:"action"` // asked or cancelled
	CleaningVersion int      `json:"cleaning_version"`
	Objects         []string `json:"objects"`
	Workflow        string   `json:"workflow"` // started, signalled or not_started
}

// ask asks for the texts to be made anew and sees that somebody does it.
func (o retransformOptions) ask(ctx context.Context, s *steering) error {
	names, err := s.hand.ObjectNames(ctx, s.i, o.objects)
	if err != nil {
		return err
	}
	target, err := s.db.LoadTarget(ctx, s.i.Project, s.i.Name)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := planOf(target, name); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := s.db.RequestRetransform(ctx, s.i.ID, name, clean.Version); err != nil {
			return err
		}
	}
	result := retransformResult{Project: s.i.Project, Integration: s.i.Name, Action: "asked", CleaningVersion: clean.Version, Objects: names, Workflow: operate.WorkflowNotStarted}
	temporal, err := s.app.dial(ctx, s.cfg)
	if err != nil {
		s.app.say("it is noted; run the command again when Temporal is back")
		return err
	}
	defer temporal.Close()
	started, err := temporal.StartRetransform(ctx, s.i.Project, s.i.Name)
	if err != nil {
		s.app.say("it is noted; run the command again to start it")
		return err
	}
	result.Workflow = operate.WorkflowStarted
	if !started {
		result.Workflow = operate.WorkflowSignalled
	}
	if s.app.json {
		return s.app.printJSON(result)
	}
	s.app.say("%s makes texts anew by cleaning version %d: %s\nSalesforce is not asked for anything; each text that changes costs an AI unit\nnext: starter status %s --watch",
		s.name(), clean.Version, strings.Join(names, ", "), s.name())
	return nil
}

// end cancels what is under way. The workflow ends with the page at hand.
func (o retransformOptions) end(ctx context.Context, s *steering) error {
	wanted := []string{""} // all
	if len(o.objects) > 0 {
		names, err := s.hand.ObjectNames(ctx, s.i, o.objects)
		if err != nil {
			return err
		}
		wanted = names
	}
	result := retransformResult{Project: s.i.Project, Integration: s.i.Name, Action: "cancelled", CleaningVersion: clean.Version, Objects: []string{}, Workflow: operate.WorkflowNotStarted}
	for _, name := range wanted {
		ended, err := s.db.CancelRetransforms(ctx, s.i.ID, name)
		if err != nil {
			return err
		}
		result.Objects = append(result.Objects, ended...)
	}
	if len(result.Objects) == 0 {
		return fault.New(fault.NotFound, "no texts are being made anew in %s", s.name()).WithHint("`starter status %s` shows what was", s.name())
	}
	if s.app.json {
		return s.app.printJSON(result)
	}
	s.app.say("no more texts are made anew of %s; what is made anew stays\nnext: starter status %s", strings.Join(result.Objects, ", "), s.name())
	return nil
}
