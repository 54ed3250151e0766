package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/bill"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/quota"
	"salesforcesync/internal/store"
)

// How much of a list the page shows.
const (
	shownRuns    = 12
	shownLoads   = 5
	shownSkipped = 10
	shownDeeds   = 12
	shownRefused = 5
)

type integrationPage struct {
	page
	Project, Name string
	Part          *integrationPart
}

// integrationPart is what moves of the page.
type integrationPart struct {
	store.IntegrationStatus
	Path           string // of the page
	Label, Tone    string // the state in words
	Hint           string
	LostHint       string
	MayWrite       bool
	MaySeeComments bool
	MaySeeNames    bool // of who did something
	Authorize      string
	Setup          string // where setting it up goes on; "" = it is set up
	NeverConnected bool

	Problems   []objectTrouble
	Objects    []objectLine
	Incomplete string // objects that keep the whole from being complete; "" = none
	Hours      *chart // nil = may not be seen
	Days       *chart
	Lately     *int64 // comments of the last day
	Latency    store.Latency

	Quota   *quotaLine
	Month   monthLine
	Skipped skippedList
	Runs    []store.Run
	Loads   []pastLoad
	Deliver *deliveryLine
	Deeds   []store.Deed
	Alerts  []store.SchemaEvent
	Past    []store.SchemaEvent

	TemporalUI string // of its workflow; "" = not known
}

// objectTrouble is what is wrong with an object.
type objectTrouble struct {
	Name, Problem, Hint string
	RetryAt             *time.Time
}

// objectLine is an object as the page shows it.
type objectLine struct {
	store.ObjectStatus
	Label, Tone string
	Load        *loadLine
	Anew        *anewLine
	Loading     bool // until its first load is done, it is not complete
	MayLoad     bool
	TemporalUI  string // of its load's workflow
}

// Percent is how much of what Salesforce has is here; known is false before the first count.
func (o objectLine) Percent() int {
	if o.SalesforceRows == nil || o.StoredRows == nil {
		return 0
	}
	if *o.SalesforceRows == 0 || *o.StoredRows >= *o.SalesforceRows {
		return 100
	}
	return min(int(100**o.StoredRows / *o.SalesforceRows), 99)
}

// Gone is by how many records the store has more than Salesforce, as of the last count.
func (o objectLine) Gone() int64 {
	if o.SalesforceRows == nil || o.StoredRows == nil {
		return 0
	}
	return max(*o.StoredRows-*o.SalesforceRows, 0)
}

// IntegrationStore is what the page of an integration reads; *store.Store is one.
type IntegrationStore interface {
	bill.Ledger
	IntegrationGlance(ctx context.Context, project, name string) (store.IntegrationStatus, error)
	LatestBackfills(ctx context.Context, integrationID string, limit int) ([]store.Backfill, error)
	LatestRuns(ctx context.Context, integrationID string, limit int) ([]store.Run, error)
	Latency(ctx context.Context, integrationID string) (store.Latency, error)
	LoadQuota(ctx context.Context, orgID string, at time.Time) (store.Quota, error)
	UnitCap(ctx context.Context, integrationID string) (store.Cap, error)
	LoadTarget(ctx context.Context, project, integration string) (*store.Target, error)
	ListSetAside(ctx context.Context, sourceID, object string, after store.SetAsideAt, limit int) ([]store.SetAside, bool, error)
	Delivery(ctx context.Context, project, integration string) (*store.Delivery, error)
	Behind(ctx context.Context, d *store.Delivery) (store.Backlog, error)
	ListUndeliverable(ctx context.Context, integrationID string, limit int) ([]store.Refusal, error)
	Deeds(ctx context.Context, integrationID string, limit int) ([]store.Deed, error)
}

// integration shows one integration.
func (web *Web) integration(v *visit) error {
	project, name, err := web.mayAt(v, access.IntegrationsRead)
	if err != nil {
		return err
	}
	data := integrationPage{Project: project, Name: name}
	// Before the notification is taken: what fails must not use it up.
	if data.Part, err = web.integrationPart(v, project, name); err != nil {
		return err
	}
	if data.page, err = web.open(v, project+"/"+name); err != nil {
		return err
	}
	data.Moves = true
	return web.render(v, http.StatusOK, "integration", data)
}

// integrationLive is what moves of the page of an integration.
func (web *Web) integrationLive(v *visit) (string, any, error) {
	project, name, err := web.mayAt(v, access.IntegrationsRead)
	if err != nil {
		return "", nil, err
	}
	part, err := web.integrationPart(v, project, name)
	return "integration-part", part, err
}

func (web *Web) integrationPart(v *visit, project, name string) (*integrationPart, error) {
	ctx := v.r.Context()
	status, err := web.store.IntegrationGlance(ctx, project, name)
	if err == nil && status.Desired == store.DesiredDeleted {
		err = fault.New(fault.NotFound, "there is no integration %s/%s", project, name)
	}
	if err != nil {
		return nil, err
	}
	p := &integrationPart{
		IntegrationStatus: status, Path: integrationPath(project, name), Hint: pageHint(status.Hint), LostHint: pageHint(status.LostHint),
		MayWrite: v.who.Can(project, access.IntegrationsWrite), MaySeeComments: v.who.Can(project, access.SourcesRead),
		MaySeeNames:    v.who.Can(project, access.UsersRead) || v.who.CanGlobally(access.AuditRead),
		NeverConnected: status.ConnectionState == "none", TemporalUI: web.workflowAt(flow.WorkflowID(project, name)),
	}
	p.Label, p.Tone = describeStatus(status.Status)
	if status.WatchedAt == nil {
		notStarted(&p.Label, &p.Tone, status.Status, status.ConnectionState == store.ConnectionGranted)
	}
	if p.MayWrite {
		p.Authorize = authenticatePath(project, name)
		if status.WatchedAt == nil {
			p.Setup = p.Path + "/setup"
		}
	}
	for _, e := range status.Events {
		if e.ResolvedAt == nil {
			p.Alerts = append(p.Alerts, e)
		} else {
			p.Past = append(p.Past, e)
		}
	}
	for _, fill := range []func(context.Context, *visit, *integrationPart) error{
		web.fillObjects, web.fillCharts, web.fillQuota, web.fillSkipped, web.fillRuns, web.fillDelivery,
	} {
		if err := fill(ctx, v, p); err != nil {
			return nil, err
		}
	}
	p.Deeds, err = web.store.Deeds(ctx, status.ID, shownDeeds)
	return p, err
}

// workflowAt is where Temporal's own page shows a workflow; "" when nobody said where that is.
func (web *Web) workflowAt(id string) string {
	if web.temporalUI == "" {
		return ""
	}
	return web.temporalUI + "/namespaces/" + url.PathEscape(web.namespace) + "/workflows/" + url.PathEscape(id)
}

func (web *Web) fillObjects(ctx context.Context, _ *visit, p *integrationPart) error {
	of := loadOf{ID: p.ID, Name: p.Project + "/" + p.Name, Desired: p.Desired, Connected: p.ConnectionState == store.ConnectionGranted}
	loads, err := web.loads(ctx, of)
	if err != nil {
		return err
	}
	anew, err := web.anew(ctx, p.ID)
	if err != nil {
		return err
	}
	var incomplete []string
	for _, o := range p.ObjectList {
		line := objectLine{ObjectStatus: o, TemporalUI: web.workflowAt(flow.BackfillID(p.Project, p.Name, o.Name))}
		for i := range loads {
			if loads[i].Object == o.Name {
				line.Load = &loads[i]
			}
		}
		for i := range anew {
			if anew[i].Object == o.Name {
				line.Anew = &anew[i]
			}
		}
		line.Loading = line.Load != nil && line.Load.First
		line.MayLoad = p.MayWrite && line.Load == nil && (p.Desired == store.DesiredRunning || p.Desired == store.DesiredPaused)
		line.Label, line.Tone = describeObject(line)
		for _, t := range []objectTrouble{{o.Name, o.Problem, pageHint(o.Hint), nil}, {o.Name, o.FaultMessage, pageHint(o.FaultHint), o.RetryAt}} {
			if t.Problem != "" {
				p.Problems = append(p.Problems, t)
			}
		}
		p.Objects = append(p.Objects, line)
		if o.VerifiedTo == nil {
			incomplete = append(incomplete, o.Name)
		}
	}
	p.Incomplete = strings.Join(incomplete, ", ")
	return nil
}

// describeObject gives the words and the colour of how an object is.
func describeObject(o objectLine) (label, tone string) {
	switch {
	case o.State == flow.StateConfigInvalid:
		return "Configuration invalid", "bad"
	case o.FaultMessage != "":
		return "In trouble", "warn"
	case o.Load != nil && o.Load.Wait != nil:
		return "Load waits", "warn"
	case o.Load != nil:
		return "Loading", "busy"
	case o.Missing() > 0:
		return "Records missing", "warn"
	case o.State == "unchecked":
		return "Not checked yet", "off"
	case o.VerifiedTo == nil:
		return "Not complete yet", "busy"
	}
	return "Complete", "ok"
}

func (web *Web) fillCharts(ctx context.Context, _ *visit, p *integrationPart) error {
	if !p.MaySeeComments {
		return nil
	}
	hours, known, err := web.lastHours(ctx, p.SourceID, web.counts.patience)
	if err != nil {
		return err
	}
	if known {
		p.Hours = hours.chart("Comments per hour", "comments")
		sum := hours.sum()
		p.Lately = &sum
	}
	days, known, err := web.lastDays(ctx, p.SourceID, web.counts.patience)
	if err != nil {
		return err
	}
	if known {
		p.Days = days.chart("Comments per day", "comments")
	}
	return nil
}

// quotaLine is how an integration stands with its org's requests, as the page shows it.
type quotaLine struct {
	quota.Standing
	Used   int // percent of the org's that anybody used
	Ours   int // percent of our share
	Calls  *chart
	Reason string
	GoesOn *time.Time
}

// monthLine is the month's AI units, as the page shows them.
type monthLine struct {
	store.Cap
	Forecast *int64
	Percent  int // of the cap
	Beyond   bool
}

func percentOf(part, whole int64) int {
	if whole <= 0 {
		return 0
	}
	return int(min(max(100*part/whole, 0), 100))
}

func (web *Web) fillQuota(ctx context.Context, _ *visit, p *integrationPart) error {
	var err error
	if p.Latency, err = web.store.Latency(ctx, p.ID); err != nil {
		return err
	}
	if p.OrgID != "" {
		q, err := web.store.LoadQuota(ctx, p.OrgID, time.Time{})
		if err != nil {
			return err
		}
		line := quotaLine{Standing: quota.StandingOf(q, p.ID), Calls: callsByHour(q.Now, q.Own).chart("API requests of ours per hour", "requests")}
		line.Used, line.Ours = percentOf(line.Told.Used, line.Max()), percentOf(line.Spent(), line.Most())
		if line.Every > line.Wanted {
			line.Reason = line.Standing.Reason
		}
		if at := line.Standing.GoesOn(); !at.IsZero() {
			line.GoesOn = &at
		}
		p.Quota = &line
	}
	if !p.MaySeeComments {
		return nil
	}
	if p.Month.Cap, err = web.store.UnitCap(ctx, p.ID); err != nil {
		return err
	}
	month, err := bill.MonthOf(ctx, web.store, store.LedgerFilter{Projects: []string{p.Project}, Project: p.Project, Integration: p.Name})
	if err != nil {
		return err
	}
	p.Month.Forecast = month.Forecast
	if p.Month.Limit > 0 {
		p.Month.Percent = percentOf(p.Month.Used, p.Month.Limit)
		p.Month.Beyond = month.Forecast != nil && *month.Forecast > p.Month.Limit
	}
	return nil
}

// skippedList is a page of the records that cannot become comments.
type skippedList struct {
	Records []skippedLine
	Total   int64
	Behind  bool   // it is not the first page
	Next    string // where the next page is; "" = this is the last
}

type skippedLine struct {
	store.SetAside
	URL     string // in Salesforce
	Comment string // path of the comment that it once became; "" = none, or it may not be read
}

func (web *Web) fillSkipped(ctx context.Context, v *visit, p *integrationPart) error {
	for _, o := range p.ObjectList {
		p.Skipped.Total += o.SetAside
	}
	if p.Skipped.Total == 0 {
		return nil
	}
	var after store.SetAsideAt
	after.Object, after.RecordID, p.Skipped.Behind = strings.Cut(v.r.URL.Query().Get("skipped"), "/")
	if !nameForm.MatchString(after.Object) || !nameForm.MatchString(after.RecordID) {
		after, p.Skipped.Behind = store.SetAsideAt{}, false
	}
	target, err := web.store.LoadTarget(ctx, p.Project, p.Name)
	if err != nil {
		return err
	}
	list, more, err := web.store.ListSetAside(ctx, p.SourceID, "", after, shownSkipped)
	if err != nil {
		return err
	}
	for _, r := range list {
		line := skippedLine{SetAside: r, URL: target.RecordURL(r.RecordID)}
		if p.MaySeeComments && r.CommentID != "" {
			line.Comment = commentPath(p.Project, p.Source, r.CommentID)
		}
		p.Skipped.Records = append(p.Skipped.Records, line)
	}
	if more {
		last := list[len(list)-1]
		p.Skipped.Next = p.Path + "?skipped=" + url.QueryEscape(last.Object+"/"+last.RecordID) + "#skipped"
	}
	return nil
}

// pastLoad is a large load that is over.
type pastLoad struct {
	store.Backfill
	Rate string // rows per second; "" = nobody knows
	Took string
}

func (web *Web) fillRuns(ctx context.Context, _ *visit, p *integrationPart) error {
	var err error
	if p.Runs, err = web.store.LatestRuns(ctx, p.ID, shownRuns); err != nil {
		return err
	}
	loads, err := web.store.LatestBackfills(ctx, p.ID, shownLoads)
	if err != nil {
		return err
	}
	for _, b := range loads {
		if b.State == store.BackfillOpen {
			continue // it has a bar of its own
		}
		line := pastLoad{Backfill: b}
		if rate := b.Speed(); rate >= 1 {
			line.Rate = groupDigits(int64(rate))
		}
		if took := b.Took(); took > 0 {
			line.Took = inWords(took)
		}
		p.Loads = append(p.Loads, line)
	}
	return nil
}

// deliveryLine is how comments are delivered to a tenant, as the page shows it.
type deliveryLine struct {
	*store.Delivery
	Behind       store.Backlog
	Label, Tone  string
	Reason, Hint string
	Refused      []store.Refusal
	Lacking      int64 // by how many the tenant has less than it should have had
	Others       int64 // by how many it has more
	TemporalUI   string
}

func (web *Web) fillDelivery(ctx context.Context, _ *visit, p *integrationPart) error {
	d, err := web.store.Delivery(ctx, p.Project, p.Name)
	if d == nil || err != nil {
		return err
	}
	line := &deliveryLine{Delivery: d, TemporalUI: web.workflowAt(flow.DeliveryID(p.Project, p.Name))}
	if line.Behind, err = web.store.Behind(ctx, d); err != nil {
		return err
	}
	var state string
	state, line.Reason, line.Hint = d.Shown()
	line.Hint = pageHint(line.Hint)
	line.Label, line.Tone = describeStatus(state)
	if d.TenantComments != nil && d.OwnComments != nil {
		line.Lacking, line.Others = max(*d.OwnComments-*d.TenantComments, 0), max(*d.TenantComments-*d.OwnComments, 0)
	}
	if p.MaySeeComments && d.Undeliverable > 0 {
		// What a tenant says of a comment may repeat it.
		if line.Refused, err = web.store.ListUndeliverable(ctx, d.IntegrationID, shownRefused); err != nil {
			return err
		}
	}
	p.Deliver = line
	return nil
}
