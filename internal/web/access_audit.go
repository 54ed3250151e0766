package web

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/bill"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/request"
	"salesforcesync/internal/store"
)

// eventsAtATime is how many events a page lists, and eventsInMemory how many an export holds.
const (
	eventsAtATime  = 100
	eventsInMemory = 500
)

type auditPage struct {
	accessPage
	Query    auditQuery
	Kinds    []eventKind
	Projects []string
	Events   []eventLine
	First    string // path of the first page; "" = this is it
	Next     string // "" = there are no more
	Export   string
	Filtered bool
}

// auditQuery is what is looked for, as it was typed.
type auditQuery struct{ Who, What, Project, From, To string }

// eventKind is events of one sort, to choose from.
type eventKind struct {
	Name   string // before the dot
	Events []eventType
}

type eventType struct{ Type, Label string }

// eventLabels say in words what events tell of.
var eventLabels = map[string]string{
	store.EventSignedIn:                "Signed in",
	store.EventPasswordChosen:          "Chose a password",
	store.EventPasswordChanged:         "Changed the password",
	store.EventPasswordLinkCreated:     "Made a password link",
	store.EventSessionsEnded:           "Signed out elsewhere",
	store.EventUserCreated:             "Added a user",
	store.EventUserChanged:             "Changed what a user may do",
	store.EventUserDisabled:            "Disabled a user",
	store.EventUserEnabled:             "Enabled a user",
	store.EventUserRemoved:             "Removed a user",
	store.EventTokenCreated:            "Made an API token",
	store.EventTokenRevoked:            "Revoked an API token",
	store.EventProjectCreated:          "Created a project",
	store.EventProjectChanged:          "Changed a project",
	store.EventProjectDeleted:          "Deleted a project",
	store.EventSourceCreated:           "Created a source",
	store.EventSourceChanged:           "Changed a source",
	store.EventSourceDeleted:           "Deleted a source",
	store.EventCommentsRead:            "Read comments",
	store.EventCommentsSearched:        "Searched comments",
	store.EventCommentsFollowed:        "Followed changes of comments",
	store.EventCommentRevisionsRead:    "Read earlier texts of comments",
	store.EventCommentsWritten:         "Wrote comments",
	store.EventCommentsDeleted:         "Deleted comments",
	store.EventCommentsForgotten:       "Erased comments on request",
	store.EventRawRead:                 "Read raw records",
	store.EventUsageExported:           "Read AI units one by one",
	store.EventAuditRead:               "Read the audit log",
	store.EventIntegrationApplied:      "Changed an integration",
	store.EventIntegrationDesired:      "Steered an integration",
	store.EventIntegrationDeleted:      "Deleted an integration",
	store.EventIntegrationConnected:    "Connected to Salesforce",
	store.EventIntegrationDisconnected: "Disconnected from Salesforce",
	store.EventIntegrationSignalled:    "Signalled a workflow by hand",
	store.EventLinkCreated:             "Made a link to connect",
	store.EventSyncRequested:           "Asked for a sync now",
	store.EventResyncRequested:         "Asked for a resync",
	store.EventBackfillRequested:       "Asked for a backfill",
	store.EventBackfillSteered:         "Steered a backfill",
	store.EventRetransformRequested:    "Asked for texts to be made anew",
	store.EventRetransformCancelled:    "Stopped making texts anew",
	store.EventDeliveryRequested:       "Asked for all comments to be delivered again",
	store.EventKeysRotated:             "Sealed secrets with another key",
	store.EventKeyAbandoned:            "Gave up what a lost key sealed",
}

// eventLabel says in words what an event tells of.
func eventLabel(kind string) string {
	if label := eventLabels[kind]; label != "" {
		return label
	}
	if command, found := strings.CutPrefix(kind, "starter."); found {
		return "Ran starter " + strings.ReplaceAll(command, "_", " ")
	}
	return strings.NewReplacer(".", ": ", "_", " ").Replace(kind)
}

// eventKinds are all that have words, and those of the command line.
func eventKinds() []eventKind {
	by := map[string][]eventType{"starter": nil}
	for kind, label := range eventLabels {
		name, _, _ := strings.Cut(kind, ".")
		by[name] = append(by[name], eventType{kind, label})
	}
	var list []eventKind
	for _, name := range slices.Sorted(maps.Keys(by)) {
		slices.SortFunc(by[name], func(a, b eventType) int { return strings.Compare(a.Label, b.Label) })
		list = append(list, eventKind{name, by[name]})
	}
	return list
}

// eventLine is an event for people.
type eventLine struct {
	At      time.Time
	Label   string
	Type    string
	Who     string
	How     string // by a token, at the command line
	About   []string
	Details []string
	Address string
	Request string
}

func toEventLine(e store.AuditRecord) eventLine {
	line := eventLine{At: e.At, Type: e.Type, Label: eventLabel(e.Type), Who: e.Actor.Name, Address: e.Actor.Address, Request: e.Actor.RequestID}
	switch e.Actor.Kind {
	case store.ActorToken:
		line.How = "with the API token " + e.Actor.Token
	case store.ActorStarter:
		line.How = "at the command line"
	case store.ActorSalesforce:
		line.How = "in Salesforce"
	case store.ActorSystem:
		line.Who = strings.TrimSpace("the system " + e.Actor.Name)
	}
	for _, about := range []struct {
		what string
		ids  []string
	}{{"user", e.Users}, {"source", e.Sources}, {"project", e.Projects}} {
		for _, id := range about.ids {
			name := e.Names[id]
			if name == "" {
				name = id
			}
			line.About = append(line.About, about.what+" "+name)
		}
	}
	if e.Requests != nil && e.Rows != nil {
		line.Details = append(line.Details, groupDigits(*e.Requests)+" requests in the hour, "+groupDigits(*e.Rows)+" rows")
	}
	line.Details = append(line.Details, detailLines(e.Details)...)
	return line
}

// detailLines writes an event's details as names and values.
func detailLines(raw json.RawMessage) []string {
	var details map[string]any
	if json.Unmarshal(raw, &details) != nil {
		return []string{string(raw)}
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(details)) {
		if text := detailText(details[key]); text != "" {
			lines = append(lines, strings.ReplaceAll(key, "_", " ")+": "+text)
		}
	}
	return lines
}

func detailText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = detailText(item)
		}
		return strings.Join(parts, ", ")
	}
	raw, _ := json.Marshal(value) // it came out of JSON
	return string(raw)
}

// readAuditQuery reads what is looked for.
func readAuditQuery(values url.Values) (auditQuery, store.AuditQuery, error) {
	typed := auditQuery{strings.TrimSpace(values.Get("who")), values.Get("what"), values.Get("project"), values.Get("from"), values.Get("to")}
	q := store.AuditQuery{Actor: typed.Who, Type: typed.What, Project: typed.Project, Limit: eventsAtATime}
	days := map[string]*time.Time{}
	for name, text := range map[string]string{"from": typed.From, "to": typed.To} {
		if text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, text)
		if err != nil || day.Year() < 1 {
			return typed, q, fault.New(fault.Invalid, "%s is %.40q, want a day (UTC) such as 2026-11-30", name, text)
		}
		days[name] = &day
	}
	q.From = days["from"]
	if to := days["to"]; to != nil { // the whole day
		end := to.AddDate(0, 0, 1).Add(-time.Microsecond)
		q.To = &end
	}
	if token := values.Get("after"); token != "" {
		var err error
		if q.After, err = store.ReadAuditKey(token); err != nil {
			return typed, q, err
		}
	}
	return typed, q, nil
}

// query is the part of an address that looks for the same.
func (q auditQuery) query() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{"who": q.Who, "what": q.What, "project": q.Project, "from": q.From, "to": q.To} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// audit shows the audit log, newest first.
func (web *Web) audit(v *visit) error {
	typed, q, err := readAuditQuery(v.r.URL.Query())
	if err != nil {
		return err
	}
	frame, err := web.accessFrame(v, "Audit log", "/access/audit")
	if err != nil {
		return err
	}
	events, more, err := web.store.AuditEvents(v.r.Context(), q)
	if err != nil {
		return err
	}
	if err := web.readAudit(v.r.Context(), len(events)); err != nil {
		return err
	}
	data := auditPage{accessPage: frame, Query: typed, Kinds: eventKinds(), Filtered: typed != auditQuery{},
		Export: withQuery("/access/audit/export", typed.query())}
	for _, p := range v.projects {
		data.Projects = append(data.Projects, p.Name)
	}
	for _, e := range events {
		data.Events = append(data.Events, toEventLine(e))
	}
	if q.After != nil {
		data.First = withQuery("/access/audit", typed.query())
	}
	if more {
		next := typed.query()
		next.Set("after", events[len(events)-1].Key().String())
		data.Next = withQuery("/access/audit", next)
	}
	return web.render(v, http.StatusOK, "audit", data)
}

// readAudit notes that somebody reads the log.
func (web *Web) readAudit(ctx context.Context, events int) error {
	return web.store.AuditOften(ctx, store.AuditEvent{Type: store.EventAuditRead}, "", int64(events))
}

// exportHeader is the first line of an export.
var exportHeader = []string{"at", "event_id", "type", "actor", "name", "user_id", "token_id", "address", "request_id", "about", "requests", "rows", "details"}

// exportAudit gives all that is looked for as CSV, whatever its length.
func (web *Web) exportAudit(v *visit) error {
	_, q, err := readAuditQuery(v.r.URL.Query())
	if err != nil {
		return err
	}
	ctx := v.r.Context()
	q.After, q.Limit = nil, eventsInMemory
	// It is noted before anything leaves the house; how many there were is not known yet.
	if err := web.readAudit(ctx, 0); err != nil {
		return err
	}
	return request.Stream(v.w, v.r, "text/csv; charset=utf-8; header=present", "audit-log.csv", func(w io.Writer) error {
		out := csv.NewWriter(w)
		if err := out.Write(exportHeader); err != nil {
			return err
		}
		for more := true; more; {
			var events []store.AuditRecord
			var err error
			if events, more, err = web.store.AuditEvents(ctx, q); err != nil {
				return err
			}
			for _, e := range events {
				if err := out.Write(exportLine(e)); err != nil {
					return err
				}
				key := e.Key()
				q.After = &key
			}
			if out.Flush(); out.Error() != nil {
				return out.Error()
			}
		}
		return nil
	})
}

func exportLine(e store.AuditRecord) []string {
	count := func(n *int64) string {
		if n == nil {
			return ""
		}
		return fmt.Sprint(*n)
	}
	return []string{e.At.UTC().Format(time.RFC3339Nano), e.EventID(), e.Type, e.Actor.Kind, bill.Cell(e.Actor.Name), e.Actor.UserID, e.Actor.Token, bill.Cell(e.Actor.Address),
		bill.Cell(e.Actor.RequestID), bill.Cell(strings.Join(toEventLine(e).About, "; ")), count(e.Requests), count(e.Rows), bill.Cell(string(e.Details))}
}
