package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

func (a *app) skippedCommand() *cobra.Command {
	var object string
	cmd := &cobra.Command{
		Use:   "skipped PROJECT/INTEGRATION [--object NAME]",
		Short: "List the records that cannot become comments, and why",
		Long: `Lists every record that was read and cannot become a comment, with the reason and its place in
Salesforce. One that was a comment before stays what it was. They are tried again by themselves
when the record, the mapping or the cleaning of a release changes.

Each line has object, Id, reason and address, with tabs between them; with --json it is one
JSON object. The API has the same list, and the raw copies.`,
		Example: `  starter skipped support/salesforce-prod
  starter skipped support/salesforce-prod --object EmailMessage --json | jq -r .reason | sort | uniq -c`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), args[0], nil, func(ctx context.Context, s *steering) error { return s.skipped(ctx, object) })
		},
	}
	cmd.Flags().StringVar(&object, "object", "", "API name of an object (default: all)")
	return cmd
}

// skippedView is a line of the list in JSON: a contract with scripts.
type skippedView struct {
	Object        string    `json:"object"`
	RecordID      string    `json:"record_id"`
	Reason        string    `json:"reason"`
	Since         time.Time `json:"since"`
	CommentID     string    `json:"comment_id"` // that it once became; "" for none
	SalesforceURL string    `json:"salesforce_url"`
	RawPath       string    `json:"raw_path"` // of the API; "" when there is no raw copy any more
}

// skippedPage is how many are read at a time.
const skippedPage = 500

func (s *steering) skipped(ctx context.Context, object string) error {
	if object != "" {
		names, err := s.hand.ObjectNames(ctx, s.i, []string{object})
		if err != nil {
			return err
		}
		object = names[0]
	}
	target, err := s.db.LoadTarget(ctx, s.i.Project, s.i.Name)
	if err != nil {
		return err
	}
	found := 0
	for after := (store.SetAsideAt{}); ; {
		page, more, err := s.db.ListSetAside(ctx, target.SourceID, object, after, skippedPage)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := s.app.printSkipped(target, r); err != nil {
				return err
			}
			after = store.SetAsideAt{Object: r.Object, RecordID: r.RecordID}
		}
		if found += len(page); !more {
			break
		}
	}
	if found == 0 {
		s.app.say("every record that was read is a comment")
	}
	return nil
}

func (a *app) printSkipped(t *store.Target, r store.SetAside) error {
	v := skippedView{Object: r.Object, RecordID: r.RecordID, Reason: r.Reason, Since: r.Since.UTC(), CommentID: r.CommentID, SalesforceURL: t.RecordURL(r.RecordID)}
	if r.HasRaw {
		v.RawPath = store.RawPath(t.Project, t.Integration, r.Object, r.RecordID)
	}
	line := fmt.Sprintf("%s\t%s\t%s\t%s", v.Object, v.RecordID, v.Reason, v.SalesforceURL)
	if a.json {
		raw, err := json.Marshal(v)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "write record %s as JSON", r.RecordID)
		}
		line = string(raw)
	}
	_, err := io.WriteString(a.out, line+"\n")
	return err
}
