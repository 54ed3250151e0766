package web

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

// Setup makes and changes integrations; operate.Buttons does.
type Setup interface {
	Plan(ctx context.Context, spec config.Integration, o operate.ApplyOptions) (operate.Plan, error)
	Apply(ctx context.Context, spec config.Integration, o operate.ApplyOptions) (operate.Applied, error)
	Start(ctx context.Context, project, integration string) error
	// Objects and Describe say what the integration's user sees in Salesforce.
	Objects(ctx context.Context, integrationID string) ([]salesforce.ObjectSummary, error)
	Describe(ctx context.Context, integrationID, object string) (salesforce.Object, error)
	Forget()
	// Examine begins a check of what the file names; Examination says whether it is over, through whichever authsvc it was begun.
	Examine(ctx context.Context, i store.Integration) error
	Examination(ctx context.Context, integrationID string) (store.Examination, error)
	LastReport(ctx context.Context, integrationID string) (*poll.Report, store.StoredReport, error)
	Forecast(ctx context.Context, spec config.Integration, integrationID string) (operate.QuotaView, error)
}

// SetupStore is what setting up reads and writes besides; *store.Store is one.
type SetupStore interface {
	IntegrationByName(ctx context.Context, project, name string) (store.Integration, error)
	Configuration(ctx context.Context, project, name string) (store.Configuration, error)
	CreateConnectLink(ctx context.Context, integrationID string, hash []byte, expires time.Time) error
	UnitCap(ctx context.Context, integrationID string) (store.Cap, error)
}

// draft is an integration that is being set up: everything that was entered is applied, and its workflow
// was not started.
type draft struct {
	store.Integration
	store.Configuration
	Path string // of the pages that set it up
}

// Connected reports whether Salesforce can be asked.
func (d *draft) Connected() bool { return operate.Connected(d.Integration) }

// Begun reports whether Salesforce was ever asked for news: then it is set up.
func (d *draft) Begun() bool { return d.WatchedAt != nil }

// draftAt reads the integration that the path names, for who may write it.
func (web *Web) draftAt(v *visit) (*draft, error) {
	project, name, err := web.mayAt(v, access.IntegrationsWrite)
	if err != nil {
		return nil, err
	}
	ctx := v.r.Context()
	d := &draft{Path: integrationPath(project, name) + "/setup"}
	if d.Configuration, err = web.store.Configuration(ctx, project, name); err != nil {
		return nil, err
	}
	if d.Integration, err = web.store.IntegrationByName(ctx, project, name); err != nil {
		return nil, err
	}
	return d, nil
}

// apply makes a file the one in force, as far as v's visitor may.
func (web *Web) apply(v *visit, spec config.Integration, o operate.ApplyOptions) (operate.Applied, error) {
	return web.setup.Apply(v.r.Context(), spec, veiled(v, spec, o))
}

// veiled are the options for who asks.
func veiled(v *visit, spec config.Integration, o operate.ApplyOptions) operate.ApplyOptions {
	o.Veiled = !v.who.Can(spec.Project, access.SourcesReadSensitive)
	return o
}

// The steps of setting up.
const (
	stepConnection = iota
	stepAuthorize
	stepObjects
	stepStart
)

// step is one line of the list of steps.
type step struct {
	Label string
	Path  string // "" = it is not its turn
	Here  bool
	Done  bool
}

// setupFrame is what pages that set an integration up have in common.
type setupFrame struct {
	page
	Draft  *draft // nil before there is one
	Steps  []step
	Errors fieldErrors
}

func (web *Web) setupFrame(v *visit, d *draft, here int, title string) (setupFrame, error) {
	f := setupFrame{Draft: d, Errors: fieldErrors{}}
	var err error
	if f.page, err = web.open(v, title); err != nil {
		return f, err
	}
	f.Steps = []step{{Label: "Connection"}, {Label: "Authorize"}, {Label: "Objects"}, {Label: "Check and start"}}
	if d != nil {
		f.Steps[stepConnection].Path, f.Steps[stepConnection].Done = d.Path+"/connection", true
		f.Steps[stepAuthorize].Path, f.Steps[stepAuthorize].Done = d.Path, d.Connected()
		if d.Connected() {
			f.Steps[stepObjects].Path, f.Steps[stepObjects].Done = d.Path+"/objects", len(d.Spec.Objects) > 0
			if len(d.Spec.Objects) > 0 {
				f.Steps[stepStart].Path = d.Path + "/check"
			}
		}
	}
	f.Steps[here].Here = true
	return f, nil
}

// turnTo sends the browser to the step whose turn it is; ok is false when it was sent.
func (web *Web) turnTo(v *visit, d *draft, here int) (ok bool) {
	var to string
	switch {
	case d.Begun():
		to = integrationPath(d.Project, d.Name)
	case here > stepAuthorize && !d.Connected():
		to = d.Path
	case here > stepObjects && len(d.Spec.Objects) == 0:
		to = d.Path + "/objects"
	default:
		return true
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return false
}

type authorizePage struct {
	setupFrame
	Authorize   string
	CallbackURL string
	Link        string // one-time; shown once
	LinkExpires time.Time
}

// setupAuthorize is the step in which Salesforce is connected, here or by somebody else.
func (web *Web) setupAuthorize(v *visit) error {
	d, err := web.draftAt(v)
	if err != nil {
		return err
	}
	if !web.turnTo(v, d, stepAuthorize) {
		return nil
	}
	return web.renderAuthorize(v, d, "", time.Time{})
}

func (web *Web) renderAuthorize(v *visit, d *draft, link string, expires time.Time) error {
	frame, err := web.setupFrame(v, d, stepAuthorize, "Authorize "+d.Project+"/"+d.Name)
	if err != nil {
		return err
	}
	return web.render(v, http.StatusOK, "setup-authorize", authorizePage{setupFrame: frame, Link: link, LinkExpires: expires,
		Authorize: authenticatePath(d.Project, d.Name) + "?next=" + url.QueryEscape(d.Path+"/objects"), CallbackURL: web.public + oauth.CallbackPath})
}

// setupLink makes a one-time link for a Salesforce administrator who has no account here. It is shown once.
func (web *Web) setupLink(v *visit) error {
	d, err := web.draftAt(v)
	if err != nil {
		return err
	}
	link, hash := oauth.NewSecret()
	expires := time.Now().Add(oauth.LinkLife).UTC().Truncate(time.Second)
	if err := web.store.CreateConnectLink(v.r.Context(), d.ID, hash, expires); err != nil {
		return err
	}
	return web.renderAuthorize(v, d, web.public+authenticatePath(d.Project, d.Name)+"?link="+url.QueryEscape(link), expires)
}

// setupStart starts what was set up.
func (web *Web) setupStart(v *visit) error {
	d, err := web.draftAt(v)
	if err != nil {
		return err
	}
	if !web.turnTo(v, d, stepStart) {
		return nil
	}
	name := d.Project + "/" + d.Name
	report, _, err := web.setup.LastReport(v.r.Context(), d.ID)
	if err != nil {
		return err
	}
	if report == nil || report.SpecVersion != d.Version || !anyGood(report) {
		return web.tell(v, d.Path+"/check", "error", "Nothing of "+name+" can be synced yet: let it be checked, and change what the check finds.")
	}
	err = web.setup.Start(v.r.Context(), d.Project, d.Name)
	switch {
	case err == nil:
		return web.done(v, integrationPath(d.Project, d.Name), name+" is running. What there is is read now, and new comments appear by themselves.")
	case forPeople(err):
		wrong := fieldErrors{}
		wrong.addFault("", err)
		return web.tell(v, d.Path+"/check", "error", wrong[""])
	}
	return err
}

func anyGood(r *poll.Report) bool {
	for _, o := range r.Objects {
		if o.OK {
			return true
		}
	}
	return false
}

// readForm reads a form's body.
func readForm(v *visit) (url.Values, error) {
	if err := v.r.ParseForm(); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the form did not arrive whole")
	}
	return v.r.PostForm, nil
}
