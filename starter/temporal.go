package main

import (
	"context"

	"salesforcesync/internal/config"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

// workflows is Temporal with what starter alone asks of it.
type workflows struct{ *operate.Temporal }

// dial connects to Temporal. fault.Unreachable when it does not answer.
func (a *app) dial(ctx context.Context, cfg *config.Config) (*workflows, error) {
	o, err := cfg.TemporalOptions()
	if err != nil {
		return nil, err
	}
	t, err := operate.Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	t.PublicURL = cfg.PublicURL
	return &workflows{t}, nil
}

// hand is what does what commands ask for. Temporal is reached when it is needed.
func (a *app) hand(cfg *config.Config, db *store.Store) (*operate.Hand, error) {
	hosts, err := salesforce.NewHostPolicy(cfg.ExtraHosts)
	if err != nil {
		return nil, err
	}
	return &operate.Hand{
		Store: db, Access: &oauth.Service{Store: db, Hosts: hosts}, EndWait: a.endWait, CheckWait: a.checkWait,
		Dial: func(ctx context.Context) (*operate.Temporal, error) {
			w, err := a.dial(ctx, cfg)
			if err != nil {
				return nil, err
			}
			return w.Temporal, nil
		},
	}, nil
}
