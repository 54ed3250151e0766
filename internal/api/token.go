package api

import (
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
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

// createToken makes a token of the caller's own, which may do no more than they do. The answer
// has the token itself, once.
func (a *API) createToken(c *call) (reply, error) {
	var body struct {
		Token struct {
			Name      string       `json:"name"`
			ExpiresAt *time.Time   `json:"expires_at"`
			Scope     *[]wireScope `json:"scope"`
		} `json:"token"`
	}
	if err := readJSON(c.r, &body); err != nil {
		return nil, err
	}
	wanted := access.NewToken{Name: body.Token.Name}
	if body.Token.ExpiresAt != nil {
		wanted.Expires = *body.Token.ExpiresAt
	}
	if body.Token.Scope != nil {
		wanted.Scope = []store.Grant{}
		for _, s := range *body.Token.Scope {
			project := ""
			if s.Project != nil {
				if project = *s.Project; !validName(projectName, project, maxProjectName) {
					return nil, fault.New(fault.Invalid, "token.scope names %.100q, which is no name of a project", project)
				}
			}
			g, err := access.Grant(project, s.Permission)
			if err != nil {
				return nil, err
			}
			wanted.Scope = append(wanted.Scope, g)
		}
	}
	c.event.Note("name", body.Token.Name)
	if wanted.Scope != nil {
		c.event.Note("scope", access.NoteGrants(wanted.Scope))
	}
	made, token, err := a.access.CreateOwnToken(c.r.Context(), c.who, wanted)
	if err != nil {
		return nil, err
	}
	return reply{"token": toWireToken(made), "secret": token.Reveal()}, nil
}

// revokeToken ends a token of the caller's own.
func (a *API) revokeToken(c *call) (reply, error) {
	return reply{}, a.access.RevokeOwnToken(c.r.Context(), c.who, c.r.PathValue("token"))
}
