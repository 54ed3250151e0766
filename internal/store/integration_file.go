package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
)

// Configuration is the file of an integration that is in force.
type Configuration struct {
	IntegrationID string
	Version       int64
	Spec          config.Integration // without its secrets
	HasSecret     bool               // a consumer secret is kept
	Endpoint      string             // for which a token is kept; "" = none is
}

// Configuration reads the file in force. fault.NotFound when there is no such integration.
func (s *Store) Configuration(ctx context.Context, project, name string) (Configuration, error) {
	var c Configuration
	var spec []byte
	err := s.pool.QueryRow(ctx, `
		select i.id, i.spec_version, i.spec, coalesce(c.consumer_secret, '') <> '',
		       coalesce((select d.endpoint from deliveries d where d.integration_id = i.id and d.token <> ''), '')
		  from integrations i join projects p on p.id = i.project_id left join connections c on c.integration_id = i.id
		 where p.name = $1 and i.name = $2`, project, name).
		Scan(&c.IntegrationID, &c.Version, &spec, &c.HasSecret, &c.Endpoint)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, fault.New(fault.NotFound, "there is no integration %s/%s", project, name)
	}
	if err != nil {
		return c, translate("read the file of "+project+"/"+name, err)
	}
	if err := json.Unmarshal(spec, &c.Spec); err != nil {
		return c, fault.Wrap(fault.Internal, err, "read the stored file of %s/%s", project, name)
	}
	return c, nil
}

// FileVersion is a version of an integration's file that was, or is, in force.
type FileVersion struct {
	Version       int64
	At            time.Time
	Actor         Actor // kind and name
	First         bool  // of those that are kept; what it changed is not known
	Changes       []config.Change
	SecretChanged bool
	TokenChanged  bool
}

// FileVersions reads the latest versions of an integration's file and what each changed, newest first.
func (s *Store) FileVersions(ctx context.Context, integrationID string, limit int) ([]FileVersion, error) {
	const op = "read the versions of the file"
	rows, err := s.pool.Query(ctx, `
		select version, at, actor, actor_name, secret_changed, token_changed, spec from integration_files
		 where integration_id = $1 order by version desc limit $2`, integrationID, limit+1)
	if err != nil {
		return nil, translate(op, err)
	}
	type kept struct {
		FileVersion
		spec config.Integration
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (kept, error) {
		var k kept
		err := row.Scan(&k.Version, &k.At, &k.Actor.Kind, &k.Actor.Name, &k.SecretChanged, &k.TokenChanged, &k.spec)
		return k, err
	})
	if err != nil {
		return nil, translate(op, err)
	}
	versions := make([]FileVersion, 0, len(list))
	for i, k := range list {
		if i == limit {
			break
		}
		if k.First = i+1 == len(list); !k.First {
			k.Changes = config.Diff(list[i+1].spec, k.spec)
		}
		versions = append(versions, k.FileVersion)
	}
	return versions, nil
}

// keepFile keeps the version that is in force now.
func (a *applying) keepFile(ctx context.Context, spec []byte) error {
	if !a.result.Changed {
		return nil
	}
	who := actingOf(ctx).actor
	_, err := a.tx.Exec(ctx, `
		insert into integration_files (integration_id, version, spec, secret_changed, token_changed, actor, actor_name) values ($1, $2, $3, $4, $5, $6, $7)
		on conflict (integration_id, version) do update set spec = excluded.spec, at = excluded.at, actor = excluded.actor, actor_name = excluded.actor_name`,
		a.result.IntegrationID, a.result.SpecVersion, spec, a.result.SecretChanged, a.result.TokenChanged, who.Kind, who.Name)
	return err
}
