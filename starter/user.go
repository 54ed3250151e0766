package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

func (a *app) userCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add users and say what they may do",
		Long: `Users sign in on the web page and own API tokens. What they may do is granted by role or by
single permission, on one project or on every one, present and future. Nobody can take the last
administrator away.

Passwords are read from standard input, so that they stand in no list of processes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.userListCommand(), a.userAddCommand(), a.userGrantCommand(true), a.userGrantCommand(false),
		a.userDisableCommand(true), a.userDisableCommand(false), a.userPasswordCommand(), a.userRemoveCommand())
	return cmd
}

func (a *app) userListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List users and what they were granted",
		Example: `  starter user list`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.userList(cmd.Context()) },
	}
}

func (a *app) userAddCommand() *cobra.Command {
	var names []string
	var project string
	var password bool
	cmd := &cobra.Command{
		Use:   "add EMAIL [--grant NAME]... [--project P] [--password]",
		Short: "Add a user and print the id",
		Long: `Adds a user and prints the id. Without --password the user signs in at the identity provider, or
owns tokens only.`,
		Example: `  starter user add ann@acme.example --grant viewer --project support
  starter user add ann@acme.example --grant administrator --password < password.txt
  next: starter token create --email ann@acme.example --name export`,
		Args: oneEmail,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.userAdd(cmd.Context(), args[0], project, names, password)
		},
	}
	grantFlags(cmd, &names, &project)
	cmd.Flags().BoolVar(&password, "password", false, "read a password from standard input")
	return cmd
}

func (a *app) userGrantCommand(give bool) *cobra.Command {
	var names []string
	var project string
	word, short := "grant", "Give a user roles or permissions"
	if !give {
		word, short = "revoke", "Take roles or permissions from a user"
	}
	cmd := &cobra.Command{
		Use:   word + " EMAIL NAME... [--project P]",
		Short: short,
		Long: short + `, on one project with --project, else on every project, present and
future. It may be repeated. ` + "`starter role list`" + ` shows what there is.`,
		Example: "  starter user " + word + ` ann@acme.example developer --project support
  starter user ` + word + ` ann@acme.example sources-read-sensitive --project support
  next: starter user list`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fault.New(fault.Invalid, "starter user %s takes an address and what to %s", word, word).
					WithHint("for example: starter user %s ann@acme.example viewer --project support", word)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			names = args[1:]
			return a.userGrant(cmd.Context(), args[0], project, names, give)
		},
	}
	cmd.Flags().StringVar(&project, "project", "", "the project; not given = every project")
	return cmd
}

func (a *app) userDisableCommand(disable bool) *cobra.Command {
	word, short := "disable", "Let a user in no more: sessions end, tokens rest"
	if !disable {
		word, short = "enable", "Let a disabled user in again"
	}
	return &cobra.Command{
		Use:     word + " EMAIL",
		Short:   short,
		Example: "  starter user " + word + " ann@acme.example",
		Args:    oneEmail,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeUser(cmd.Context(), args[0], word+"d", func(s *access.Service, u *store.Account) error {
				return s.SetDisabled(cmd.Context(), u.ID, disable)
			})
		},
	}
}

func (a *app) userPasswordCommand() *cobra.Command {
	var none bool
	cmd := &cobra.Command{
		Use:   "password EMAIL",
		Short: "Give a user a new password, read from standard input",
		Long:  `Gives a user a new password, read from standard input. The user's sessions end; tokens go on.`,
		Example: `  starter user password ann@acme.example < password.txt
  starter user password ann@acme.example --none`,
		Args: oneEmail,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeUser(cmd.Context(), args[0], "password_changed", func(s *access.Service, u *store.Account) error {
				var password secret.Text
				if !none {
					var err error
					if password, err = a.readPassword(); err != nil {
						return err
					}
				}
				return s.SetPassword(cmd.Context(), u.ID, password)
			})
		},
	}
	cmd.Flags().BoolVar(&none, "none", false, "take the password away")
	return cmd
}

func (a *app) userRemoveCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "remove EMAIL --yes",
		Short: "Remove a user with its tokens",
		Long: `Removes a user with its tokens and sessions, for good. To keep the tokens for later, use
starter user disable.`,
		Example: `  starter user remove ann@acme.example --yes`,
		Args:    oneEmail,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes {
				return fault.New(fault.Invalid, "removing %s deletes its tokens for good", args[0]).WithHint("add --yes if that is meant; `starter user disable` keeps them")
			}
			return a.changeUser(cmd.Context(), args[0], "removed", func(s *access.Service, u *store.Account) error {
				return s.RemoveUser(cmd.Context(), u.ID)
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}

func (a *app) roleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "role",
		Short: "Show the roles that users can have",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List the roles and the permissions they bring",
		Example: `  starter role list
  next: starter user grant ann@acme.example viewer --project support`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.roleList() },
	})
	return cmd
}

func oneEmail(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fault.New(fault.Invalid, "starter user %s takes the address of one user", cmd.Name()).
			WithHint("for example: starter user %s ann@acme.example", cmd.Name())
	}
	return nil
}

func grantFlags(cmd *cobra.Command, names *[]string, project *string) {
	cmd.Flags().StringSliceVar(names, "grant", nil, "role or permission; may be repeated")
	cmd.Flags().StringVar(project, "project", "", "the project of the grants; not given = every project")
}

// grants makes grants of names, all on one project or on every one.
func grants(project string, names []string) ([]store.Grant, error) {
	list := make([]store.Grant, len(names))
	for i, name := range names {
		var err error
		if list[i], err = access.Grant(project, name); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// maxPasswordLine is more than any password may have.
const maxPasswordLine = 4096

func (a *app) readPassword() (secret.Text, error) {
	raw, err := io.ReadAll(io.LimitReader(a.in, maxPasswordLine))
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "read the password from standard input")
	}
	password := secret.Text(strings.TrimRight(string(raw), "\r\n")) // editors end files with a newline
	if password == "" {
		return "", fault.New(fault.Invalid, "there is no password on standard input").WithHint("for example: starter user password ann@acme.example < password.txt")
	}
	return password, nil
}

type userView struct {
	ID         string      `json:"id"`
	Email      string      `json:"email"`
	CreatedAt  time.Time   `json:"created_at"`
	DisabledAt *time.Time  `json:"disabled_at"`
	Password   bool        `json:"has_password"`
	Grants     []grantView `json:"grants"`
}

type grantView struct {
	Project    string `json:"project,omitempty"` // not there = every project
	Role       string `json:"role,omitempty"`
	Permission string `json:"permission,omitempty"`
}

// String is the grant as people write it.
func (g grantView) String() string {
	name := g.Role + g.Permission
	if g.Project != "" {
		return name + " on " + g.Project
	}
	return name
}

func (a *app) userList(ctx context.Context) error {
	return a.withAccess(ctx, func(s *access.Service) error {
		users, err := s.Users(ctx)
		if err != nil {
			return err
		}
		views := make([]userView, len(users))
		for i, u := range users {
			views[i] = userView{u.ID, u.Email, u.CreatedAt, u.DisabledAt, u.PasswordHash != "", []grantView{}}
			for _, g := range u.Grants {
				views[i].Grants = append(views[i].Grants, grantView{g.Project, g.Role, g.Permission})
			}
		}
		if a.json {
			return a.printJSON(views)
		}
		return printTable(a.out, "EMAIL\tID\tPASSWORD\tDISABLED\tGRANTS", views, func(u userView) string {
			password := "no"
			if u.Password {
				password = "yes"
			}
			list := make([]string, len(u.Grants))
			for i, g := range u.Grants {
				list[i] = g.String()
			}
			return strings.Join([]string{u.Email, u.ID, password, when(u.DisabledAt), strings.Join(list, ", ")}, "\t")
		})
	})
}

func (a *app) roleList() error {
	type roleView struct {
		Name         string   `json:"name"`
		Meaning      string   `json:"meaning"`
		Installation bool     `json:"installation"`
		Permissions  []string `json:"permissions"`
	}
	var views []roleView
	for _, r := range access.Roles() {
		views = append(views, roleView{r.Name, r.Meaning, r.Installation, slices.Sorted(slices.Values(r.Permissions))})
	}
	if a.json {
		return a.printJSON(views)
	}
	return printTable(a.out, "ROLE\tGRANTED\tMEANING\tPERMISSIONS", views, func(r roleView) string {
		where := "on a project or everywhere"
		if r.Installation {
			where = "everywhere only"
		}
		return strings.Join([]string{r.Name, where, r.Meaning, strings.Join(r.Permissions, " ")}, "\t")
	})
}

func (a *app) userAdd(ctx context.Context, email, project string, names []string, withPassword bool) error {
	list, err := grants(project, names)
	if err != nil {
		return err
	}
	var password secret.Text
	if withPassword {
		if password, err = a.readPassword(); err != nil {
			return err
		}
	}
	return a.withAccess(ctx, func(s *access.Service) error {
		id, err := s.CreateUser(ctx, email, password, list)
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(map[string]string{"id": id, "email": strings.ToLower(email)})
		}
		a.print("%s", id)
		if len(list) == 0 {
			a.say("%s may do nothing yet; next: starter user grant %s viewer --project P", email, email)
		}
		return nil
	})
}

func (a *app) userGrant(ctx context.Context, email, project string, names []string, give bool) error {
	list, err := grants(project, names)
	if err != nil {
		return err
	}
	done := "granted"
	if !give {
		done = "revoked"
	}
	return a.changeUser(ctx, email, done, func(s *access.Service, u *store.Account) error {
		if give {
			return s.Change(ctx, u.ID, list, nil)
		}
		return s.Change(ctx, u.ID, nil, list)
	})
}

// changeUser changes one user and says so.
func (a *app) changeUser(ctx context.Context, email, done string, change func(*access.Service, *store.Account) error) error {
	return a.withAccess(ctx, func(s *access.Service) error {
		u, err := s.User(ctx, strings.TrimSpace(email))
		if err != nil {
			return err
		}
		if err := change(s, u); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(map[string]any{"id": u.ID, "email": u.Email, done: true})
		}
		a.say("%s: %s", u.Email, strings.ReplaceAll(done, "_", " "))
		return nil
	})
}

// printTable writes lines in columns under a heading.
func printTable[T any](out io.Writer, heading string, lines []T, line func(T) string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, heading)
	for _, l := range lines {
		fmt.Fprintln(w, line(l))
	}
	if err := w.Flush(); err != nil {
		return fault.Wrap(fault.Internal, err, "write the table")
	}
	return nil
}
