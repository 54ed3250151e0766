package api

// listProjects lists the projects on which the caller may do anything at all.
func (a *API) listProjects(c *call) (reply, error) {
	projects, err := a.store.Projects(c.r.Context())
	if err != nil {
		return nil, err
	}
	list := []wireProject{}
	for _, p := range projects {
		if c.who.Knows(p.Name) {
			list = append(list, toWireProject(p))
		}
	}
	return reply{"projects": list}, nil
}

// listBuckets lists none: mail comes from Salesforce here and not from mailboxes.
// Clients ask for buckets whenever they list sources.
func (a *API) listBuckets(*call) (reply, error) { return reply{"buckets": []struct{}{}}, nil }

// listForeignIntegrations lists none: of this route clients take integrations with Exchange and stop at any other.
// Ours are at /api/v1/integrations.
func (a *API) listForeignIntegrations(*call) (reply, error) {
	return reply{"integrations": []struct{}{}}, nil
}
