package web

import (
	"net/url"

	"salesforcesync/internal/fault"
)

// integrationPath is the page of an integration.
func integrationPath(project, integration string) string {
	return "/integrations/" + url.PathEscape(project) + "/" + url.PathEscape(integration)
}

// mayAt gives the integration that the path names to who has a permission on its project. Who has no
// right at all there is told what is told of one that does not exist.
func (web *Web) mayAt(v *visit, permission string) (project, integration string, err error) {
	project, integration = v.r.PathValue("project"), v.r.PathValue("integration")
	switch {
	case !nameForm.MatchString(project) || !nameForm.MatchString(integration) || !v.who.Knows(project):
		return "", "", fault.New(fault.NotFound, "there is no integration %.200s/%.200s", project, integration)
	case !v.who.Can(project, permission):
		return "", "", fault.New(fault.Forbidden, "this needs the permission %s on the project %s", permission, project)
	}
	return project, integration, nil
}
