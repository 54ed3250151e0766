package api

import (
	"context"
	"path"
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

// resolve reads what the path names and checks the caller's right on it: what does
// not exist is fault.NotFound, what exists without the right fault.Forbidden.
func (a *API) resolve(ctx context.Context, c *call, route route) error {
	if route.on == onNobody || route.on == onListed {
		return nil
	}
	project, source := c.r.PathValue("project"), c.r.PathValue("source")
	if name := c.r.PathValue("name"); name != "" && strings.Contains(c.r.Pattern, "/integrations/{name}") {
		project, integration, two := strings.Cut(name, "/")
		if !two { // project and integration as two segments, and the integration is called as this route ends
			c.plain, integration = true, path.Base(c.r.URL.Path)
		}
		c.r.SetPathValue("integration", integration)
		return a.resolveProject(ctx, c, route, project)
	} else if name != "" {
		if id, isID := strings.CutPrefix(name, "id:"); isID {
			return a.resolveSourceID(ctx, c, route, id)
		}
		var two bool
		if project, source, two = strings.Cut(name, "/"); !two && route.on == onSource {
			return fault.New(fault.NotFound, "there is no source %.100q: name it project/source or id:<16 hex digits>", name)
		} else if !two {
			return a.resolveProject(ctx, c, route, project)
		}
	}
	if c.r.PathValue("integration") != "" {
		return a.resolveProject(ctx, c, route, project)
	}
	missing := fault.New(fault.NotFound, "there is no source %.200q", project+"/"+source)
	if !validName(projectName, project, maxProjectName) || !validName(sourceName, source, maxSourceName) {
		return missing
	}
	found, err := a.store.SourceByName(ctx, project, source)
	if fault.Is(err, fault.NotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	c.source, c.project = found, found.Project
	return c.allow(route)
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
	c.source, c.project = found, found.Project
	return c.allow(route)
}

func (a *API) resolveProject(ctx context.Context, c *call, route route, name string) error {
	missing := fault.New(fault.NotFound, "there is no project %.100q", name)
	if !validName(projectName, name, maxProjectName) {
		return missing
	}
	found, err := a.store.ProjectByName(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	c.project = found.Name
	return c.allow(route)
}

func (c *call) allow(route route) error {
	if c.who.Can(c.project, route.permission) {
		return nil
	}
	return fault.New(fault.Forbidden, "this needs the permission %s on project %s", route.permission, c.project)
}

func validName(pattern *regexp.Regexp, name string, longest int) bool {
	return len(name) <= longest && pattern.MatchString(name)
}
