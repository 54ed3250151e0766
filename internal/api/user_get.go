package api

// getUser answers who is asking and what they may do where, project by project.
func (a *API) getUser(c *call) (reply, error) {
	projects, err := a.store.Projects(c.r.Context())
	if err != nil {
		return nil, err
	}
	permissions := map[string][]string{}
	for _, p := range projects {
		if may := c.who.Permissions(p.Name); len(may) > 0 {
			permissions[p.Name] = may
		}
	}
	return reply{"user": map[string]any{
		"id":                       c.who.UserID,
		"username":                 c.who.Username,
		"email":                    c.who.Email,
		"created":                  timestamp(c.who.CreatedAt),
		"global_permissions":       c.who.GlobalPermissions(),
		"organisation_permissions": permissions,
		"sso_global_permissions":   []string{},
		"verified":                 true,
	}}, nil
}

// refreshPermissions has nothing to do: permissions are read at every request.
func (a *API) refreshPermissions(*call) (reply, error) {
	return reply{"permissions_refreshed": true}, nil
}
