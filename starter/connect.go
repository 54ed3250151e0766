package main

import (
	"context"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/oauth"
)

func (a *app) connectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "connect PROJECT/INTEGRATION",
		Short: "Print the link with which a Salesforce administrator connects the org",
		Long: `Prints an address to send to the Salesforce administrator, alone on stdout. Whoever
opens it is taken to Salesforce's login and consent page and needs no account here.

The link is good for 24 hours and for one grant: opening it does not use it up, a
successful grant does. Only its hash is kept. Each call makes a new link; earlier ones
stay good. PUBLIC_URL says where authsvc is reached from outside. The app in Salesforce must
have this callback URL, to the letter: PUBLIC_URL` + oauth.CallbackPath,
		Example: `  starter connect support/salesforce-prod
  next: send the link, then starter status support/salesforce-prod`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error { return a.connect(cmd.Context(), args[0]) },
	}
}

func (a *app) connect(ctx context.Context, name string) error {
	cfg, err := a.config("PUBLIC_URL")
	if err != nil {
		return err
	}
	db, err := a.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	i, err := find(ctx, db, name)
	if err != nil {
		return err
	}
	link, hash := oauth.NewSecret()
	expires := time.Now().Add(oauth.LinkLife).UTC().Truncate(time.Second)
	if err := db.CreateConnectLink(ctx, i.ID, hash, expires); err != nil {
		return err
	}
	address := cfg.PublicURL + "/integrations/" + url.PathEscape(i.Project) + "/" + url.PathEscape(i.Name) +
		"/oauth2/authenticate?link=" + url.QueryEscape(link)
	if a.json {
		return a.printJSON(map[string]any{"project": i.Project, "integration": i.Name, "url": address, "expires_at": expires})
	}
	a.print("%s", address)
	a.say("send it to the Salesforce administrator; it is good until %s, for one grant", expires.Format(time.RFC3339))
	return nil
}
