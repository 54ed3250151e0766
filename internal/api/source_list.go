package api

import "salesforcesync/internal/access"

// listSources lists the sources of every project where the caller may read them.
func (a *API) listSources(c *call) (reply, error) {
	projects, err := a.store.Projects(c.r.Context())
	if err != nil {
		return nil, err
	}
	readable := []string{}
	for _, p := range projects {
		if c.who.Can(p.Name, access.SourcesRead) {
			readable = append(readable, p.Name)
		}
	}
	return a.sourcesOf(c, readable)
}

// getProjectOrSource answers with the source that the path names, or with all
// sources of a project.
func (a *API) getProjectOrSource(c *call) (reply, error) {
	if c.source == nil {
		return a.sourcesOf(c, []string{c.project})
	}
	return reply{"source": toWireSource(*c.source)}, nil
}

func (a *API) sourcesOf(c *call, projects []string) (reply, error) {
	sources, err := a.store.Sources(c.r.Context(), projects)
	if err != nil {
		return nil, err
	}
	list := make([]wireSource, len(sources))
	for i, s := range sources {
		list[i] = toWireSource(s)
	}
	return reply{"sources": list}, nil
}
