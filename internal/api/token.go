package api

import (
	"salesforcesync/internal/access"
	"salesforcesync/internal/store"
)

// wireToken is an API token without the token. The vendor's API has no such route; shapes follow its
// conventions.
type wireToken struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	CreatedAt  timestamp   `json:"created_at"`
	LastUsedAt *timestamp  `json:"last_used_at"` // to the minute
	ExpiresAt  *timestamp  `json:"expires_at"`   // null = never
	RevokedAt  *timestamp  `json:"revoked_at"`
	Scope      []wireScope `json:"scope"` // null = all that its user may
}

type wireScope struct {
	Project    *string `json:"project"` // null = every project
	Permission string  `json:"permission"`
}

func toWireToken(t store.Token) wireToken {
	out := wireToken{
		ID: t.ID, Name: t.Name, CreatedAt: timestamp(t.CreatedAt),
		LastUsedAt: (*timestamp)(t.LastUsedAt), ExpiresAt: (*timestamp)(t.ExpiresAt), RevokedAt: (*timestamp)(t.RevokedAt),
	}
	if t.Scope != nil {
		out.Scope = []wireScope{}
	}
	for _, g := range t.Scope {
		scope := wireScope{Permission: g.Permission}
		if g.Project != "" {
			scope.Project = &g.Project
		}
		out.Scope = append(out.Scope, scope)
	}
	return out
}

// listTokens lists the caller's own tokens, newest first.
func (a *API) listTokens(c *call) (reply, error) {
	tokens, err := a.access.OwnTokens(c.r.Context(), c.who)
	if err != nil {
		return nil, err
	}
	list := make([]wireToken, len(tokens))
	for i, t := range tokens {
		list[i] = toWireToken(t)
	}
	return reply{"tokens": list}, nil
}

var (
	tokenKeys = []string{"name", "expires_at", "scope"}
	scopeKeys = []string{"permission", "project"}
)

// createToken makes a token of the caller's own, which may do no more than they do. The answer
// has the token itself, once.
func (a *API) createToken(c *call) (reply, error) {
	var wanted access.NewToken
	if err := c.wrapped("token", tokenKeys, func(s *strict, key string) (err error) {
		switch key {
		case "name":
			wanted.Name, err = s.text(maxName)
		case "expires_at":
			wanted.Expires, err = s.time()
		case "scope":
			wanted.Scope = []store.Grant{} // one that opens nothing is not none
			err = s.items(maxNames, func(int) error {
				g, err := s.scope()
				wanted.Scope = append(wanted.Scope, g)
				return err
			})
		}
		return err
	}, nil); err != nil {
		return nil, err
	}
	c.event.Note("name", wanted.Name)
	if wanted.Scope != nil {
		c.event.Note("scope", access.NoteGrants(wanted.Scope))
	}
	made, token, err := a.access.CreateOwnToken(c.r.Context(), c.who, wanted)
	if err != nil {
		return nil, err
	}
	return reply{"token": toWireToken(made), "secret": token.Reveal()}, nil
}

// scope reads what a token may do in one place.
func (s *strict) scope() (g store.Grant, err error) {
	permission, project := "", ""
	present, err := s.fields(scopeKeys, func(i int) (err error) {
		if scopeKeys[i] == "permission" {
			permission, err = s.text(maxName)
			return err
		}
		if project, err = s.text(maxName); err == nil && !validName(projectName, project, maxProjectName) {
			err = wrong("is " + quoted(project) + ", which is no name of a project")
		}
		return err
	})
	if err == nil {
		err = missing(scopeKeys[:1], present)
	}
	if err != nil {
		return g, err
	}
	return access.Grant(project, permission)
}

// revokeToken ends a token of the caller's own.
func (a *API) revokeToken(c *call) (reply, error) {
	return reply{}, a.access.RevokeOwnToken(c.r.Context(), c.who, c.r.PathValue("token"))
}
