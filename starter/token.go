package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
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
	var email, name string
	var expires time.Duration
	cmd := &cobra.Command{
		Use:   "create --email E --name N",
		Short: "Print a new API token, alone, once",
		Example: `  starter token create --email ann@acme.example --name "nightly export" --expires 720h
  next: curl -H "Authorization: Bearer $TOKEN" $PUBLIC_URL/api/v1/sources`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.tokenCreate(cmd.Context(), email, name, expires) },
	}
	emailFlag(cmd, &email)
	cmd.Flags().StringVar(&name, "name", "", "what will use it, for people")
	cmd.Flags().DurationVar(&expires, "expires", 0, "how long it works, such as 720h; not given = until it is revoked")
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

func (a *app) tokenCreate(ctx context.Context, email, name string, expires time.Duration) error {
	if email == "" || name == "" {
		return fault.New(fault.Invalid, "a token needs --email and --name").WithHint("for example: starter token create --email ann@acme.example --name export")
	}
	var until time.Time
	switch {
	case expires < 0:
		return fault.New(fault.Invalid, "--expires %s has passed already", expires)
	case expires > 0:
		until = time.Now().Add(expires).UTC().Truncate(time.Second)
	}
	return a.withAccess(ctx, func(s *access.Service) error {
		token, err := s.CreateToken(ctx, email, name, until)
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
			views[i] = tokenView{t.ID, t.Name, t.CreatedAt, t.LastUsedAt, t.ExpiresAt, t.RevokedAt}
		}
		if a.json {
			return a.printJSON(views)
		}
		w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tNAME\tCREATED\tLAST USED\tEXPIRES\tREVOKED")
		for _, t := range views {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, when(&t.CreatedAt), when(t.LastUsedAt), when(t.ExpiresAt), when(t.RevokedAt))
		}
		if err := w.Flush(); err != nil {
			return fault.Wrap(fault.Internal, err, "write the table")
		}
		return nil
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
