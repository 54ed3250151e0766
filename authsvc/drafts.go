package main

import (
	"context"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/salesforce"
)

// drafts asks Salesforce about integrations that are being set up. They are not polled yet, so that no
// worker is needed to look at what there is.
type drafts struct {
	auth *oauth.Service
	poll *poll.Service
}

// Objects lists the objects that the integration user sees.
func (d drafts) Objects(ctx context.Context, integrationID string) ([]salesforce.ObjectSummary, error) {
	return d.auth.Org(integrationID).DescribeGlobal(ctx)
}

// Describe gives the fields of an object that the integration user sees.
func (d drafts) Describe(ctx context.Context, integrationID, object string) (salesforce.Object, error) {
	return d.auth.Org(integrationID).Describe(ctx, object)
}

// Examine checks what the file names and stores the report.
func (d drafts) Examine(ctx context.Context, p flow.CheckParams) error {
	_, err := d.poll.Check(ctx, p)
	return err
}

// orgs lets package poll see clients as the interface it declares.
type orgs struct{ auth *oauth.Service }

// Org gives the client of an integration's org.
func (o orgs) Org(integrationID string) poll.Salesforce { return o.auth.Org(integrationID) }
