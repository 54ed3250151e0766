package api

import (
	"context"
	"regexp"
	"strings"

	"salesforcesync/internal/fault"
)

// Names and ids as the API's schema has them.
var (
	projectName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	sourceName  = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	objectName  = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	idText      = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

const (
	maxProjectName = 1024
	maxSourceName  = 256
	maxObjectName  = 256
)

// resolve reads what the path names and checks the caller's right on it. Who has no right at all on a
// project is told what is told of a project that does not exist; who has one, but not this one, gets
// fault.Forbidden before anything is looked up by name. So nobody learns from the answer what there is.
func (a *API) resolve(ctx context.Context, c *call, route route) error {
	switch route.on {
	case onNobody, onListed, onUsers:
		return nil
	case onInstallation:
		if !c.who.CanGlobally(route.permission) {
			return fault.New(fault.Forbidden, "this needs the permission %s", route.permission)
		}
		return nil
	case onUser:
		return a.resolveUser(ctx, c, route)
	}
	project, source := c.r.PathValue("project"), c.r.PathValue("source")
	if name := c.r.PathValue("name"); name != "" && strings.Contains(c.r.Pattern, "/integrations/{name}") {
		project, integration, _ := strings.Cut(name, "/")
		c.r.SetPathValue("integration", integration)
		return a.resolveProject(ctx, c, route, project)
	} else if name != "" {
		if id, isID := strings.CutPrefix(name, "id:"); isID && route.on != onNewSource {
			return a.resolveSourceID(ctx, c, route, id)
		}
		var two bool
		if project, source, two = strings.Cut(name, "/"); !two && route.on != onProject {
			return fault.New(fault.NotFound, "there is no source %.100q: name it project/source or id:<16 hex digits>", name)
		} else if !two {
			return a.resolveProject(ctx, c, route, project)
		}
	}
	if c.r.PathValue("integration") != "" || route.on == onProject && source == "" {
		return a.resolveProject(ctx, c, route, project)
	}
	missing := fault.New(fault.NotFound, "there is no source %.200q", project+"/"+source)
	if !validName(projectName, project, maxProjectName) || !validName(sourceName, source, maxSourceName) {
		return missing
	}
	if route.on == onNewSource {
		c.name = source
		return a.resolveProject(ctx, c, route, project)
	}
	if err := c.allow(route, project, missing); err != nil {
		return err
	}
	found, err := a.store.SourceByName(ctx, project, source)
	if fault.Is(err, fault.NotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	c.source, c.project, c.projectID = found, found.Project, found.ProjectID
	return nil
}

func (a *API) resolveSourceID(ctx context.Context, c *call, route route, id string) error {
	missing := fault.New(fault.NotFound, "there is no source with id %.40q", id)
	if id = strings.ToLower(id); !idText.MatchString(id) {
		return missing
	}
	found, err := a.store.SourceByID(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	c.source, c.project, c.projectID = found, found.Project, found.ProjectID
	return c.allow(route, found.Project, missing)
}

func (a *API) resolveProject(ctx context.Context, c *call, route route, name string) error {
	missing := fault.New(fault.NotFound, "there is no project %.100q", name)
	if !validName(projectName, name, maxProjectName) {
		return missing
	}
	if err := c.allow(route, name, missing); err != nil {
		return err
	}
	found, err := a.store.ProjectByName(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	c.project, c.projectID = found.Name, found.ID
	return nil
}

// allow checks the caller's right on a project; missing is what is told of one that is not there.
func (c *call) allow(route route, project string, missing error) error {
	return c.who.Permit(project, route.permission, missing)
}

// resolveUser reads the user that the path names. Whom the caller may not see is not there.
func (a *API) resolveUser(ctx context.Context, c *call, route route) error {
	projects, err := a.store.Projects(ctx)
	if err != nil {
		return err
	}
	c.projects = projects
	c.user, err = a.access.UserFor(ctx, c.who, c.r.PathValue("user"), route.permission, projects)
	return err
}

func validName(pattern *regexp.Regexp, name string, longest int) bool {
	return len(name) <= longest && pattern.MatchString(name)
}
