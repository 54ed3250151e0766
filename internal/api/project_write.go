package api

import (
	"slices"
	"strconv"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// getProject reads one project.
func (a *API) getProject(c *call) (reply, error) {
	project, err := a.store.ProjectByName(c.r.Context(), c.project)
	if err != nil {
		return nil, c.nameProject(err)
	}
	return reply{"project": toWireProject(*project)}, nil
}

// maxUserIDs is how many users a new project may have.
const maxUserIDs = 1024

// createProject makes a project. Whoever makes it, and those whom user_ids names, may do
// everything on it.
func (a *API) createProject(c *call) (reply, error) {
	p := store.NewProject{Name: c.r.PathValue("project"), Role: access.ProjectAdmin}
	if !validName(projectName, p.Name, maxProjectName) {
		return nil, fault.New(fault.Invalid, "a project cannot be called %s: 1 to 1,024 of A-Z, a-z, 0-9, -, _ and .", quoted(p.Name))
	}
	var err error
	if p.Title, p.Description, err = c.projectFields(map[string]func(*strict) error{"user_ids": func(s *strict) (err error) {
		p.Users, err = s.texts(maxUserIDs, 1, maxTitle)
		return err
	}}); err != nil {
		return nil, err
	}
	if !slices.Contains(p.Users, c.who.UserID) {
		p.Users = append(p.Users, c.who.UserID)
	}
	project, err := a.store.CreateProject(c.r.Context(), p)
	if err != nil {
		return nil, err
	}
	return reply{"project": toWireProject(*project)}, nil
}

// updateProject changes what a project is called for people.
func (a *API) updateProject(c *call) (reply, error) {
	title, description, err := c.projectFields(nil)
	if err != nil {
		return nil, err
	}
	project, err := a.store.UpdateProject(c.r.Context(), c.project, title, description)
	if err != nil {
		return nil, c.nameProject(err)
	}
	return reply{"project": toWireProject(*project)}, nil
}

// deleteProject deletes a project that is empty, or with force=true one that has sources.
func (a *API) deleteProject(c *call) (reply, error) {
	force := false
	if text := c.r.URL.Query().Get("force"); text != "" {
		var err error
		if force, err = strconv.ParseBool(text); err != nil {
			return nil, fault.New(fault.Invalid, "force is %s, want true or false", quoted(text))
		}
	}
	c.project = c.r.PathValue("project")
	if !validName(projectName, c.project, maxProjectName) {
		return nil, c.nameProject(fault.New(fault.NotFound, ""))
	}
	return reply{}, c.nameProject(a.store.DeleteProject(c.r.Context(), c.project, force))
}

// countResources counts what is in a project.
func (a *API) countResources(c *call) (reply, error) {
	have, err := a.store.CountResources(c.r.Context(), c.project)
	if err != nil {
		return nil, c.nameProject(err)
	}
	return reply{"resource_counts": map[string]int64{"sources": have.Sources, "integrations": have.Integrations}}, nil
}

func (c *call) projectFields(others map[string]func(*strict) error) (title, description *string, err error) {
	err = c.wrapped("project", []string{"title", "description"}, func(s *strict, key string) (err error) {
		if key == "title" {
			title, err = pointer(s.text(maxTitle))
		} else {
			description, err = pointer(s.text(maxDescription))
		}
		return err
	}, others)
	return title, description, err
}

// nameProject names the project in the errors of a store that did not find it.
func (c *call) nameProject(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "there is no project %.100q", c.project)
	}
	return err
}
