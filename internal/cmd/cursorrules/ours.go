package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/simtime"
	"salesforcesync/internal/transform"
)

// ours is the product: what the activities Watch, Poll, Transform and Upsert run, on a
// PostgreSQL whose time is the simulation's, in the order in which the workflow has them run.
type ours struct {
	*account
	db      *simtime.Database
	svc     *poll.Service
	batches transform.Batches
	spec    config.Integration
	id      string
	source  string

	fetched []int // changes that the batch at hand has read
	claims  claims
}

// keys seal the simulation's tokens.
func keys() (*secret.KeyRing, error) {
	var key [secret.KeySize]byte
	_, _ = rand.Read(key[:]) // never fails since Go 1.24
	return secret.ParseKeyRing("simulation:" + base64.StdEncoding.EncodeToString(key[:]))
}

// newOurs applies an integration, connects it and checks it.
func newOurs(ctx context.Context, o *org, db *simtime.Database) (*ours, error) {
	hosts, err := salesforce.NewHostPolicy([]string{"simforce.example:8090"})
	if err != nil {
		return nil, err
	}
	u := &ours{account: newAccount(o), db: db, batches: transform.Batches{Store: db.Store}}
	auth := &oauth.Service{Store: db.Store, Hosts: hosts, Transport: u.account}
	u.svc = &poll.Service{Store: db.Store, Orgs: orgs{auth, u}, Listener: store.NewListener()}
	u.spec = config.Integration{Project: "support", Integration: "prod", Source: "mail", PollInterval: config.DefaultPollInterval,
		Connection: config.Connection{InstanceURL: home, LoginURL: home, ConsumerKey: "3MVG9simforce", ConsumerSecret: "simforce-secret"},
		Objects:    []config.Object{{Object: object, Preset: config.PresetEmail, Deleted: config.DeletedTombstone}}}
	if err := db.Set(ctx, o.now()); err != nil {
		return nil, err
	}
	applied, err := db.ApplyIntegration(ctx, u.spec)
	if err != nil {
		return nil, err
	}
	u.id = applied.IntegrationID
	tokens, err := o.sim.Grant(simforce.SyncUser)
	if err != nil {
		return nil, err
	}
	acme := o.sim.Orgs()[0]
	err = db.SaveGrant(ctx, store.SalesforceGrant{IntegrationID: u.id, OrgID: acme.ID, UserID: acme.Users[simforce.SyncUser],
		Username: simforce.SyncUser, InstanceURL: home, Access: secret.Text(tokens.AccessToken), Refresh: secret.Text(tokens.RefreshToken)})
	if err != nil {
		return nil, err
	}
	t, err := db.LoadTarget(ctx, u.spec.Project, u.spec.Integration)
	if err != nil {
		return nil, err
	}
	u.source = t.SourceID
	return u, nil
}

// orgs gives package poll clients whose rows are counted.
type orgs struct {
	auth *oauth.Service
	ours *ours
}

func (o orgs) Org(id string) poll.Salesforce { return counting{o.auth.Org(id), o.ours} }

type counting struct {
	*salesforce.Client
	ours *ours
}

func (c counting) Query(ctx context.Context, q string, o salesforce.QueryOptions) (salesforce.Page, error) {
	p, err := c.Client.Query(ctx, q, o)
	if err == nil {
		err = c.ours.book(p.Rows)
	}
	return p, err
}

func (c counting) Together(ctx context.Context, asks []salesforce.Ask) ([]salesforce.Answer, error) {
	answers, err := c.Client.Together(ctx, asks)
	for _, a := range answers {
		if err == nil {
			err = c.ours.book(a.Page.Rows)
		}
	}
	return answers, err
}

// book counts rows: whole records have a subject, others ids and stamps alone.
func (u *ours) book(rows []json.RawMessage) error {
	for _, raw := range rows {
		var r struct{ Subject *string }
		if err := json.Unmarshal(raw, &r); err != nil {
			return err
		}
		if r.Subject == nil {
			u.light++
			continue
		}
		number, err := numberOf(*r.Subject)
		if err != nil {
			return err
		}
		u.got(number)
		u.fetched = append(u.fetched, number)
	}
	return nil
}

// tick is one interval of the workflow: look, and bring home what there is.
func (u *ours) tick(ctx context.Context) error {
	if err := u.db.Set(ctx, u.org.now()); err != nil {
		return err
	}
	for {
		result, err := u.svc.Watch(ctx, flow.WatchParams{Project: u.spec.Project, Integration: u.spec.Integration, Once: true})
		if err != nil {
			return err
		}
		if len(result.Faults) > 0 {
			return fault.New(fault.Internal, "Watch failed in a world without faults: %s", result.Faults[0].Message)
		}
		if result.Outcome == flow.OutcomeUnchecked { // the workflow checks, and looks again at once
			if err := u.check(ctx); err != nil {
				return err
			}
			continue
		}
		for _, news := range result.News {
			if err := u.bring(ctx, news.Batch); err != nil {
				return err
			}
		}
		return u.look(ctx)
	}
}

func (u *ours) check(ctx context.Context) error {
	result, err := u.svc.Check(ctx, flow.CheckParams{Project: u.spec.Project, Integration: u.spec.Integration})
	if err != nil {
		return err
	}
	for _, o := range result.Objects {
		if o.Problem != "" {
			return fault.New(fault.Config, "%s: %s", o.Object, o.Problem)
		}
	}
	return nil
}

// bring runs batches from ref on until there is no more.
func (u *ours) bring(ctx context.Context, ref flow.BatchRef) error {
	for {
		u.fetched = u.fetched[:0]
		polled, err := u.svc.Poll(ctx, ref)
		switch {
		case err != nil:
			return err
		case !polled.Sealed && polled.More:
			continue
		case !polled.Sealed:
			return nil
		}
		if _, err := u.batches.Transform(ctx, ref); err != nil {
			return err
		}
		done, err := u.db.Upsert(ctx, ref)
		if err != nil {
			return err
		}
		for _, number := range u.fetched {
			u.arrived(number, u.org.now())
		}
		if !done.More {
			return nil
		}
		ref = done.Next
	}
}

// look reads how far the product says it is complete.
func (u *ours) look(ctx context.Context) error {
	t, err := u.db.LoadTarget(ctx, u.spec.Project, u.spec.Integration)
	if err != nil {
		return err
	}
	o, ok := t.Object(object)
	if !ok {
		return fault.New(fault.Internal, "the integration has lost its object")
	}
	if o.VerifiedTo.IsZero() {
		return nil
	}
	return u.claims.hear(o.VerifiedTo, u.account)
}

// compare holds what was booked on the way to what the store has at the end: the comments,
// each with the text of its last change. It returns how many there are.
func (u *ours) compare(ctx context.Context) (int, error) {
	n := 0
	q := store.CommentQuery{SourceID: u.source, Limit: 500}
	for {
		page, more, err := u.db.Comments(ctx, q)
		if err != nil {
			return n, err
		}
		for _, c := range page {
			id, err := hex.DecodeString(c.ID)
			if err != nil {
				return n, err
			}
			number, err := numberOf(c.Messages[0].Subject.Text)
			if err != nil {
				return n, err
			}
			if u.latest[string(id)] != number+1 {
				return n, fmt.Errorf("the comment of %s has change %d, and change %d was applied", id, number, u.latest[string(id)]-1)
			}
			n++
			q.After = &store.CommentKey{Timestamp: c.Timestamp, ID: c.ID}
		}
		if !more {
			break
		}
	}
	if n != len(u.latest) {
		return n, fmt.Errorf("the store has %d comments, and %d records were applied", n, len(u.latest))
	}
	return n, nil
}
