package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

func (a *app) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke API tokens",
		Long: `API tokens let programs read comments over HTTP with the rights of a user. Only their
hash is kept, so a token is shown once, when it is made.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.tokenCreateCommand(), a.tokenListCommand(), a.tokenRevokeCommand())
	return cmd
}

func (a *app) tokenCreateCommand() *cobra.Command {
	var email, name, project string
	var expires time.Duration
	var scope []string
	cmd := &cobra.Command{
		Use:   "create --email E --name N [--scope NAME]... [--project P] [--expires 720h]",
		Short: "Print a new API token, alone, once",
		Long: `Prints a new API token, alone, once. It has the rights of its user; with --scope it has, of those,
only what the scope names, on one project with --project.`,
		Example: `  starter token create --email ann@acme.example --name "nightly export" --expires 720h
  starter token create --email ann@acme.example --name export --scope sources-read --project support
  next: curl -H "Authorization: Bearer $TOKEN" $PUBLIC_URL/api/v1/sources`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.tokenCreate(cmd.Context(), email, name, expires, project, scope)
		},
	}
	emailFlag(cmd, &email)
	cmd.Flags().StringVar(&name, "name", "", "what will use it, for people")
	cmd.Flags().DurationVar(&expires, "expires", 0, "how long it works, such as 720h; not given = until it is revoked")
	cmd.Flags().StringSliceVar(&scope, "scope", nil, "permission or role that it may use at most; may be repeated; not given = all that the user may")
	cmd.Flags().StringVar(&project, "project", "", "the project of the scope; not given = every project")
	return cmd
}

func (a *app) tokenListCommand() *cobra.Command {
	var email string
	cmd := &cobra.Command{
		Use:     "list --email E",
		Short:   "List a user's API tokens, without the tokens",
		Example: `  starter token list --email ann@acme.example`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.tokenList(cmd.Context(), email) },
	}
	emailFlag(cmd, &email)
	return cmd
}

func (a *app) tokenRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "End an API token at once",
		Example: `  starter token revoke 0190f3c2-7d1e-7a55-9d4c-2f6d3d1c9a10`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fault.New(fault.Invalid, "starter token revoke takes the id of one token").WithHint("`starter token list --email E` shows the ids")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.tokenRevoke(cmd.Context(), args[0]) },
	}
}

func emailFlag(cmd *cobra.Command, email *string) {
	cmd.Flags().StringVar(email, "email", "", "the user's e-mail address")
}

// withAccess opens the database and hands over who may do what in it.
func (a *app) withAccess(ctx context.Context, do func(*access.Service) error) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	db, err := a.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	return do(access.New(db))
}

func (a *app) tokenCreate(ctx context.Context, email, name string, expires time.Duration, project string, names []string) error {
	if email == "" || name == "" {
		return fault.New(fault.Invalid, "a token needs --email and --name").WithHint("for example: starter token create --email ann@acme.example --name export")
	}
	if project != "" && len(names) == 0 {
		return fault.New(fault.Invalid, "--project needs --scope").WithHint("say what the token may do there, such as --scope sources-read")
	}
	var scope []store.Grant
	if len(names) > 0 {
		var err error
		if scope, err = grants(project, names); err != nil {
			return err
		}
	}
	var until time.Time
	switch {
	case expires < 0:
		return fault.New(fault.Invalid, "--expires %s has passed already", expires)
	case expires > 0:
		until = time.Now().Add(expires).UTC().Truncate(time.Second)
	}
	return a.withAccess(ctx, func(s *access.Service) error {
		token, err := s.CreateScopedToken(ctx, email, access.NewToken{Name: name, Expires: until, Scope: scope})
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(struct {
				Token   string    `json:"token"`
				Email   string    `json:"email"`
				Name    string    `json:"name"`
				Expires time.Time `json:"expires_at,omitzero"`
			}{token.Reveal(), email, name, until})
		}
		a.print("%s", token.Reveal())
		a.say("this is the only time it is shown")
		return nil
	})
}

type tokenView struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
	Scope      []string   `json:"scope"` // null = all that the user may
}

func (a *app) tokenList(ctx context.Context, email string) error {
	if email == "" {
		return fault.New(fault.Invalid, "whose tokens? --email is missing").WithHint("for example: starter token list --email ann@acme.example")
	}
	return a.withAccess(ctx, func(s *access.Service) error {
		tokens, err := s.ListTokens(ctx, email)
		if err != nil {
			return err
		}
		views := make([]tokenView, len(tokens))
		for i, t := range tokens {
			views[i] = tokenView{t.ID, t.Name, t.CreatedAt, t.LastUsedAt, t.ExpiresAt, t.RevokedAt, nil}
			if t.Scope != nil {
				views[i].Scope = []string{}
			}
			for _, g := range t.Scope {
				views[i].Scope = append(views[i].Scope, grantView{g.Project, g.Role, g.Permission}.String())
			}
		}
		if a.json {
			return a.printJSON(views)
		}
		return printTable(a.out, "ID\tNAME\tCREATED\tLAST USED\tEXPIRES\tREVOKED\tSCOPE", views, func(t tokenView) string {
			scope := "all"
			if t.Scope != nil {
				scope = strings.Join(t.Scope, ", ")
			}
			return strings.Join([]string{t.ID, t.Name, when(&t.CreatedAt), when(t.LastUsedAt), when(t.ExpiresAt), when(t.RevokedAt), scope}, "\t")
		})
	})
}

func (a *app) tokenRevoke(ctx context.Context, id string) error {
	return a.withAccess(ctx, func(s *access.Service) error {
		if err := s.RevokeToken(ctx, id); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(map[string]any{"id": id, "revoked": true})
		}
		a.say("token %s no longer works", id)
		return nil
	})
}
