package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

func (a *app) auditCommand() *cobra.Command {
	var since string
	cmd := &cobra.Command{
		Use:   "audit [--since TIME]",
		Short: "Show who connected, changed, read in bulk, exported and deleted",
		Long: `Lists the events of the audit log, newest first: when, what, who, from where, to what. What is
done often (pages of comments that are read or written) is one event for each caller, source and
hour, with how many there were.

Each line has time, event, actor, address and the rest as JSON, with tabs between them; with --json it
is one JSON object. The log is only added to; PostgreSQL refuses anything else.`,
		Example: `  starter audit --since 24h
  starter audit --since 2026-11-01
  starter audit --json | jq -r 'select(.type == "comments.deleted")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.audit(cmd.Context(), since) },
	}
	cmd.Flags().StringVar(&since, "since", "", "from when on: 24h, 2026-11-01 or 2026-11-01T12:00:00Z (default: from the beginning)")
	return cmd
}

// eventView is an event in JSON: a contract with scripts.
type eventView struct {
	ID        string            `json:"event_id"`
	At        time.Time         `json:"at"`
	Type      string            `json:"type"`
	Actor     string            `json:"actor"` // user, token, starter, salesforce or system
	Name      string            `json:"name"`
	UserID    string            `json:"user_id,omitempty"`
	TokenID   string            `json:"token_id,omitempty"`
	Address   string            `json:"address,omitempty"`
	RequestID string            `json:"request_id,omitempty"`
	Projects  []string          `json:"project_ids"`
	Sources   []string          `json:"source_ids"`
	Users     []string          `json:"user_ids"`
	Names     map[string]string `json:"names"` // of the ids, as they were then
	Requests  *int64            `json:"requests,omitempty"`
	Rows      *int64            `json:"rows,omitempty"`
	Details   json.RawMessage   `json:"details"`
}

// eventsPage is how many events are read at a time.
const eventsPage = 500

func (a *app) audit(ctx context.Context, since string) error {
	q := store.AuditQuery{Limit: eventsPage}
	if since != "" {
		from, err := readSince(since, time.Now())
		if err != nil {
			return err
		}
		q.From = &from
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	db, err := a.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	for found := 0; ; {
		page, more, err := db.AuditEvents(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := a.printEvent(e); err != nil {
				return err
			}
		}
		if found += len(page); !more {
			if found == 0 {
				a.say("there are no events")
			}
			return nil
		}
		last := page[len(page)-1].Key()
		q.After = &last
	}
}

// readSince reads a moment, or how long ago it was.
func readSince(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fault.New(fault.Invalid, "--since: %q is neither a time nor how long ago it was", text).
		WithHint("write it as 24h, 2026-11-01 or 2026-11-01T12:00:00Z")
}

func (a *app) printEvent(e store.AuditRecord) error {
	v := eventView{ID: e.EventID(), At: e.At.UTC(), Type: e.Type, Actor: e.Actor.Kind, Name: e.Actor.Name, UserID: e.Actor.UserID, TokenID: e.Actor.Token,
		Address: e.Actor.Address, RequestID: e.Actor.RequestID, Projects: e.Projects, Sources: e.Sources, Users: e.Users, Names: e.Names,
		Requests: e.Requests, Rows: e.Rows, Details: e.Details}
	line, err := json.Marshal(v)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "write event %s as JSON", v.ID)
	}
	if !a.json {
		line = []byte(v.line())
	}
	_, err = io.WriteString(a.out, string(line)+"\n")
	return err
}

func (v eventView) line() string {
	about := []string{}
	for _, ids := range [][]string{v.Projects, v.Sources, v.Users} {
		for _, id := range ids {
			about = append(about, v.Names[id])
		}
	}
	text := strings.Join(about, " ")
	if v.Requests != nil && v.Rows != nil {
		text += fmt.Sprintf(" %d requests, %d rows", *v.Requests, *v.Rows)
	}
	if string(v.Details) != "{}" {
		text += " " + string(v.Details)
	}
	return strings.Join([]string{when(&v.At), v.Type, strings.TrimSpace(v.Actor + " " + v.Name), v.Address, strings.TrimSpace(text)}, "\t")
}
