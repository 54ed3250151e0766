package web

import (
	"net/http"
	"slices"
	"strings"

	"salesforcesync/internal/access"
	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/secret"
)

// connectionFields are the fields of the first step, in order, without the secret, which no page shows.
var connectionFields = []string{"project", "integration", "source", "instance_url", "login_url", "consumer_key"}

type connectionPage struct {
	setupFrame
	Action      string // where the form goes
	CallbackURL string
	Scopes      []scope
	Projects    []string // that can be chosen
	MayName     bool     // a project that is not there yet can be named
	May         bool     // at all
	Fields      map[string]string
	Version     int64
	HasSecret   bool
}

// scope is one of the two that the app needs, as Salesforce labels it.
type scope struct{ Label, Names string }

var scopes = []scope{
	{"Manage user data via APIs", "api"},
	{"Perform requests at any time", "refresh_token, offline_access"},
}

// newIntegration is the first step: what to do in Salesforce, and what came of it.
func (web *Web) newIntegration(v *visit) error {
	p, err := web.connectionPage(v, nil)
	if err != nil {
		return err
	}
	p.Fields = map[string]string{"project": v.r.URL.Query().Get("project")}
	if len(p.Projects) == 1 && p.Fields["project"] == "" {
		p.Fields["project"] = p.Projects[0]
	}
	return web.render(v, http.StatusOK, "connection", p)
}

func (web *Web) connectionPage(v *visit, d *draft) (*connectionPage, error) {
	title := "New integration"
	if d != nil {
		title = "Connection of " + d.Project + "/" + d.Name
	}
	frame, err := web.setupFrame(v, d, stepConnection, title)
	if err != nil {
		return nil, err
	}
	p := &connectionPage{setupFrame: frame, Action: "/integrations/new", CallbackURL: web.public + oauth.CallbackPath, Scopes: scopes, Fields: map[string]string{}}
	if d != nil {
		c := d.Spec.Connection
		p.Action, p.May, p.Version, p.HasSecret = d.Path+"/connection", true, d.Version, d.HasSecret
		p.Fields = map[string]string{"project": d.Project, "integration": d.Name, "source": d.Spec.Source,
			"instance_url": c.InstanceURL, "login_url": c.LoginURL, "consumer_key": c.ConsumerKey}
		return p, nil
	}
	projects, err := web.store.Projects(v.r.Context())
	if err != nil {
		return nil, err
	}
	p.Projects = projectsWith(v.who, projects, access.IntegrationsWrite)
	p.MayName = v.who.CanEverywhere(access.IntegrationsWrite)
	p.May = p.MayName || len(p.Projects) > 0
	return p, nil
}

// createIntegration applies the first step. The same form sent twice makes one integration.
func (web *Web) createIntegration(v *visit) error {
	form, err := readForm(v)
	if err != nil {
		return err
	}
	p, err := web.connectionPage(v, nil)
	if err != nil {
		return err
	}
	for _, field := range connectionFields {
		p.Fields[field] = strings.TrimSpace(form.Get(field))
	}
	var file formFile
	spec, err := p.read(web, &file, form.Get("consumer_secret"))
	if err != nil {
		return err
	}
	// Before anything is said of what is there.
	if project := p.Fields["project"]; p.Errors["project"] == "" && !v.who.Can(project, access.IntegrationsWrite) {
		p.Errors["project"] = "You may not make integrations in this project: that needs the permission " + access.IntegrationsWrite + " on it."
	}
	if spec.Connection.ConsumerSecret == "" && p.Errors["consumer_secret"] == "" {
		p.Errors["consumer_secret"] = "Is empty: copy it from the app in Salesforce."
	}
	if len(p.Errors) == 0 {
		var none int64
		_, err = web.apply(v, spec, operate.ApplyOptions{NoStart: true, Over: &none})
		switch {
		case err == nil:
			http.Redirect(v.w, v.r, integrationPath(spec.Project, spec.Integration)+"/setup", http.StatusSeeOther)
			return nil
		case !fault.Is(err, fault.Conflict):
			return err
		}
		field := "integration"
		if _, missing := web.store.Configuration(v.r.Context(), spec.Project, spec.Integration); fault.Is(missing, fault.NotFound) {
			field = "source" // another one feeds it
		}
		p.Errors[field] = sentence(err)
		if field == "integration" {
			p.Errors[field] += " Choose another name, or go on with that one from the overview."
		} else {
			p.Errors[field] += " One integration feeds a source: choose another."
		}
	}
	return web.render(v, http.StatusUnprocessableEntity, "connection", p)
}

// read reads the fields by the rules of the file, and the secret beside them.
func (p *connectionPage) read(web *Web, file *formFile, consumerSecret string) (config.Integration, error) {
	file.value("project", "project", p.Fields["project"], false)
	file.value("integration", "integration", p.Fields["integration"], false)
	file.value("source", "source", p.Fields["source"], false)
	file.line("", "connection:")
	file.value("instance_url", "  instance_url", p.Fields["instance_url"], false)
	file.value("login_url", "  login_url", p.Fields["login_url"], true)
	file.value("consumer_key", "  consumer_key", p.Fields["consumer_key"], false)
	spec, wrong, err := file.read(web.checks)
	if err != nil {
		return spec, err
	}
	for field, text := range wrong {
		p.Errors[field] = text
	}
	given := strings.TrimSpace(consumerSecret)
	if strings.ContainsFunc(given, func(c rune) bool { return c <= ' ' || c > '~' }) || len(given) > 1024 {
		p.Errors["consumer_secret"] = "Holds a space or a character that no consumer secret has: copy it again from the app in Salesforce."
		given = ""
	}
	spec.Connection.ConsumerSecret = secret.Text(given)
	return spec, nil
}

// setupConnection is the first step of an integration that is there.
func (web *Web) setupConnection(v *visit) error {
	d, err := web.draftAt(v)
	if err != nil {
		return err
	}
	if !web.turnTo(v, d, stepConnection) {
		return nil
	}
	p, err := web.connectionPage(v, d)
	if err != nil {
		return err
	}
	return web.render(v, http.StatusOK, "connection", p)
}

// changeConnection applies a changed connection. The secret that is kept stays, but for another app.
func (web *Web) changeConnection(v *visit) error {
	d, err := web.draftAt(v)
	if err != nil {
		return err
	}
	if !web.turnTo(v, d, stepConnection) {
		return nil
	}
	form, err := readForm(v)
	if err != nil {
		return err
	}
	p, err := web.connectionPage(v, d)
	if err != nil {
		return err
	}
	for _, field := range connectionFields[slices.Index(connectionFields, "source"):] {
		p.Fields[field] = strings.TrimSpace(form.Get(field))
	}
	var file formFile
	read, err := p.read(web, &file, form.Get("consumer_secret"))
	if err != nil {
		return err
	}
	kept := d.HasSecret && read.Connection.ConsumerKey == d.Spec.Connection.ConsumerKey
	if read.Connection.ConsumerSecret == "" && !kept && p.Errors["consumer_secret"] == "" {
		p.Errors["consumer_secret"] = "Is empty: another consumer key has another secret. Copy it from the app in Salesforce."
	}
	if len(p.Errors) == 0 {
		spec := d.Spec
		spec.Source, spec.Connection = read.Source, read.Connection
		version := versionOf(form)
		_, err = web.apply(v, spec, operate.ApplyOptions{NoStart: true, Over: &version})
		switch {
		case err == nil:
			http.Redirect(v.w, v.r, d.Path, http.StatusSeeOther)
			return nil
		case fault.Is(err, fault.Forbidden):
			p.Errors.addFault("", err)
		case fault.Is(err, fault.Conflict):
			p.Errors[""] = sentence(err) + " Look at what is here now, and send it again."
		default:
			return err
		}
		p.Version = d.Version
	}
	return web.render(v, http.StatusUnprocessableEntity, "connection", p)
}
