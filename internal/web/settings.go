package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// deleteWait bounds a deletion, which goes on when the browser has gone: half of it helps nobody.
const deleteWait = 50 * time.Second

type settingsPage struct {
	page
	Project, Name string
	Path          string
	IntegrationAt string
	Source        string
	Comments      int64
	Deleting      bool // it is being deleted
	Connected     bool
	Username      string
	File          string
	Version       int64
	HasSecret     bool
	Problems      []config.Problem
	Problem       string // with the file as a whole
	Plan          *settingsPlan
	DeleteProblem string
	Versions      []versionLine
}

// settingsPlan is what applying the file in the form would change.
type settingsPlan struct {
	operate.Plan
	Digest      string // of the file that it was made for
	Loads       []string
	Every       string
	Wanted      string
	AsksSecret  bool // another app has another secret
	NeedsToken  bool // none is kept for the destination
	Destination string
}

type versionLine struct {
	store.FileVersion
	By string
}

// settings shows the file in force.
func (web *Web) settings(v *visit) error {
	p, _, err := web.settingsPage(v)
	if err != nil {
		return err
	}
	return web.render(v, http.StatusOK, "settings", p)
}

func (web *Web) settingsPage(v *visit) (*settingsPage, *draft, error) {
	d, err := web.draftAt(v)
	if err != nil {
		return nil, nil, err
	}
	file, err := config.WriteIntegration(d.Spec)
	if err != nil {
		return nil, nil, err
	}
	p := &settingsPage{Project: d.Project, Name: d.Name, IntegrationAt: integrationPath(d.Project, d.Name), Source: d.Project + "/" + d.Source,
		Comments: d.Comments, Deleting: d.Desired == store.DesiredDeleted, Connected: d.Connected(), Username: d.Username,
		File: string(file), Version: d.Version, HasSecret: d.HasSecret}
	p.Path = p.IntegrationAt + "/settings"
	versions, err := web.store.FileVersions(v.r.Context(), d.ID, shownVersions)
	if err != nil {
		return nil, nil, err
	}
	for _, version := range versions {
		p.Versions = append(p.Versions, versionLine{version, byWords(version.Actor, v.who.Can(d.Project, access.UsersRead) || v.who.CanGlobally(access.AuditRead))})
	}
	p.page, err = web.open(v, "Settings of "+d.Project+"/"+d.Name)
	return p, d, err
}

// byWords says who did something; names is for who may know the names of users.
func byWords(a store.Actor, names bool) string {
	switch {
	case a.Kind == store.ActorStarter && names && a.Name != "":
		return a.Name + ", with starter"
	case a.Kind == store.ActorStarter:
		return "an operator, with starter"
	case a.Kind == store.ActorSystem:
		return "not known by whom"
	case names && a.Name != "":
		return a.Name
	}
	return "a user"
}

// shownVersions is how many changes of the file the page lists.
const shownVersions = 20

// changeSettings shows what a changed file would change, and applies the one whose plan was shown.
func (web *Web) changeSettings(v *visit) error {
	form, err := readForm(v)
	if err != nil {
		return err
	}
	p, d, err := web.settingsPage(v)
	if err != nil {
		return err
	}
	// Browsers end lines with CR LF; the file does not.
	p.File = strings.ReplaceAll(form.Get("file"), "\r\n", "\n")
	spec, ok := web.readSettings(p, d)
	if !ok {
		return web.render(v, http.StatusUnprocessableEntity, "settings", p)
	}
	version := versionOf(form)
	if version != d.Version {
		p.Problem = "The settings were changed meanwhile: version " + groupDigits(d.Version) + " is in force now. What follows is against that one."
	}
	if form.Get("action") == "apply" && form.Get("planned") == digestOf(p.File) && version == d.Version {
		return web.applySettings(v, p, d, spec, form)
	}
	status := http.StatusOK
	if err := web.planSettings(v, p, d, spec); err != nil {
		if !fault.Is(err, fault.Invalid, fault.Conflict, fault.Forbidden) {
			return err
		}
		p.Problem, status = sentence(err), http.StatusUnprocessableEntity
		if hint := hintSentence(err); hint != "" && fault.Is(err, fault.Forbidden) {
			p.Problem += " " + hint
		}
	} else if form.Get("action") == "apply" && !p.Plan.Changed && form.Get("consumer_secret") == "" && form.Get("token") == "" {
		return web.done(v, p.Path, "These settings are in force already.") // sent twice
	} else if form.Get("action") == "apply" && p.Problem == "" {
		p.Problem = "The file is another one than the plan was made for. Look at the plan again."
	}
	return web.render(v, status, "settings", p)
}

// readSettings reads the file in the form; false when it cannot be applied, which the page then says.
func (web *Web) readSettings(p *settingsPage, d *draft) (config.Integration, bool) {
	checks := web.checks
	checks.NoSecrets = true
	spec, err := config.ReadIntegration("the file", []byte(p.File), checks)
	switch {
	case err != nil:
		if p.Problems = config.ProblemsOf(err); len(p.Problems) == 0 {
			p.Problem = sentence(err)
		}
	case spec.Project != d.Project || spec.Integration != d.Name:
		p.Problem = "Project and integration cannot be changed: they are what this integration is known by. Make a new integration instead."
	}
	return spec, len(p.Problems) == 0 && p.Problem == ""
}

func digestOf(file string) string {
	sum := sha256.Sum256([]byte(file))
	return hex.EncodeToString(sum[:])
}

// planSettings fills in what applying the file would change.
func (web *Web) planSettings(v *visit, p *settingsPage, d *draft, spec config.Integration) error {
	plan := &settingsPlan{Digest: digestOf(p.File), AsksSecret: spec.Connection.ConsumerKey != d.Spec.Connection.ConsumerKey}
	if to := spec.Destination; to != nil {
		plan.Destination = to.Endpoint
		if plan.NeedsToken = to.Endpoint != d.Endpoint; plan.NeedsToken {
			to.Token = "typed when it is applied" // a plan keeps nothing
		}
	}
	var err error
	if plan.Plan, err = web.setup.Plan(v.r.Context(), spec, veiled(v, spec, operate.ApplyOptions{})); err != nil {
		return err
	}
	plan.Loads = plan.FirstLoads(spec)
	first := firstPlan{Quota: plan.Quota}
	plan.Every, plan.Wanted = first.Every(), first.Wanted()
	p.Plan = plan
	return nil
}

// applySettings makes the file the one in force.
func (web *Web) applySettings(v *visit, p *settingsPage, d *draft, spec config.Integration, form url.Values) error {
	spec.Connection.ConsumerSecret = secret.Text(strings.TrimSpace(form.Get("consumer_secret")))
	if spec.Destination != nil {
		spec.Destination.Token = secret.Text(strings.TrimSpace(form.Get("token")))
	}
	again := func(problem string) error {
		p.Problem = problem
		if err := web.planSettings(v, p, d, spec); err != nil {
			return err
		}
		return web.render(v, http.StatusUnprocessableEntity, "settings", p)
	}
	for what, given := range map[string]secret.Text{"consumer secret": spec.Connection.ConsumerSecret, "token": destinationToken(spec)} {
		if strings.ContainsFunc(given.Reveal(), func(c rune) bool { return c <= ' ' || c > '~' }) {
			return again("The " + what + " holds a space or a character that none has: copy it again.")
		}
	}
	if spec.Connection.ConsumerKey != d.Spec.Connection.ConsumerKey && spec.Connection.ConsumerSecret == "" {
		return again("The consumer secret is missing: another consumer key has another secret.")
	}
	if spec.Destination != nil && spec.Destination.Endpoint != d.Endpoint && spec.Destination.Token == "" {
		return again("The token is missing: none is kept for this destination.")
	}
	done, err := web.apply(v, spec, operate.ApplyOptions{NoStart: !d.Begun(), Over: &d.Version})
	name := d.Project + "/" + d.Name
	switch {
	case fault.Is(err, fault.Conflict, fault.Invalid):
		return again(sentence(err))
	case fault.Is(err, fault.Unreachable):
		return again("Nothing was changed, because the workflow could not be told: " + sentence(err) + " Try again in a while.")
	case err != nil:
		return err
	case done.Untold != nil:
		return web.tell(v, p.Path, "error", "The settings of "+name+" are in force as version "+groupDigits(done.SpecVersion)+
			", but its workflow could not be told. It sees them with its next look.")
	case !done.Changed:
		return web.done(v, p.Path, "Nothing was to be changed.")
	}
	message := "The settings of " + name + " are in force as version " + groupDigits(done.SpecVersion) + "."
	if done.Reconnect != "" {
		message += " Salesforce must be authorized again: " + done.Reconnect + "."
	}
	return web.done(v, p.Path, message)
}

func destinationToken(spec config.Integration) secret.Text {
	if spec.Destination == nil {
		return ""
	}
	return spec.Destination.Token
}

// disconnectIntegration gives the access to Salesforce back.
func (web *Web) disconnectIntegration(v *visit) error {
	project, name, err := web.mayAt(v, access.IntegrationsWrite)
	if err != nil {
		return err
	}
	path := integrationPath(project, name) + "/settings"
	err = web.hand.Disconnect(v.r.Context(), project, name)
	switch {
	case err == nil:
		return web.done(v, path, project+"/"+name+" is disconnected: the access was given back to Salesforce, and nothing is read until it is authorized again.")
	case fault.Is(err, fault.Conflict, fault.Transient, fault.Unreachable, fault.Config, fault.Permission, fault.RateLimited):
		wrong := fieldErrors{}
		wrong.addFault("", err)
		return web.tell(v, path, "error", wrong[""])
	}
	return err
}

// deleteIntegration removes an integration whose name was typed.
func (web *Web) deleteIntegration(v *visit) error {
	form, err := readForm(v)
	if err != nil {
		return err
	}
	p, d, err := web.settingsPage(v)
	if err != nil {
		return err
	}
	name := d.Project + "/" + d.Name
	if strings.TrimSpace(form.Get("confirm")) != name {
		p.DeleteProblem = "Nothing was deleted: type " + name + " to confirm."
		return web.render(v, http.StatusUnprocessableEntity, "settings", p)
	}
	erase := form.Get("erase") == "yes"
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), deleteWait)
	defer cancel()
	err = web.hand.Delete(ctx, d.Project, d.Name, erase)
	switch {
	case err == nil && erase:
		return web.done(v, "/", name+" is deleted, and the comments of "+p.Source+" are erased. The AI units they cost stay on the bill.")
	case err == nil:
		return web.done(v, "/", name+" is deleted. Its comments stay readable in "+p.Source+".")
	case fault.Is(err, fault.Unreachable, fault.Transient, fault.Conflict):
		return web.tell(v, p.Path, "error", "It is not deleted yet: "+sentence(err)+" Try again in a while.")
	}
	return err
}
