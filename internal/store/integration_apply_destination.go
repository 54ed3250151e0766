package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// destination brings the delivery up to date. Another destination, and another source to
// deliver, begin at the first comment. The token is sealed; none given keeps what is stored for the
// same endpoint: it must not reach another one.
func (a *applying) destination(ctx context.Context) error {
	id, to := a.result.IntegrationID, a.spec.Destination
	if to == nil {
		_, err := a.tx.Exec(ctx, `delete from deliveries where integration_id = $1`, id)
		return err
	}
	var source, endpoint, project, name, sealed string
	err := a.tx.QueryRow(ctx, `select source_id, endpoint, project, source, token from deliveries where integration_id = $1 for update`, id).
		Scan(&source, &endpoint, &project, &name, &sealed)
	known := !errors.Is(err, pgx.ErrNoRows)
	if known && err != nil {
		return err
	}
	switch {
	case to.Token != "":
		if sealed, err = a.sealToken(id, sealed); err != nil {
			return err
		}
	case endpoint != to.Endpoint:
		return fault.New(fault.Invalid, "destination: a token is missing for %s", to.Endpoint).
			WithHint("name it with token_env or token_file; one that is stored for another endpoint is not sent there")
	}
	if known && (source != a.sourceID || endpoint != to.Endpoint || project != to.Project || name != to.Source) {
		if _, err := a.tx.Exec(ctx, `delete from deliveries where integration_id = $1`, id); err != nil {
			return err
		}
		known = false
	}
	if !known {
		_, err := a.tx.Exec(ctx, `insert into deliveries (integration_id, source_id, endpoint, project, source, token) values ($1, $2, $3, $4, $5, $6)`,
			id, a.sourceID, to.Endpoint, to.Project, to.Source, sealed)
		return err
	}
	if _, err := a.tx.Exec(ctx, `update deliveries set token = $2 where integration_id = $1`, id, sealed); err != nil {
		return err
	}
	if err := retryDelivery(ctx, a.tx, id); err != nil || !a.result.TokenChanged && len(a.result.Changes) == 0 {
		return err
	}
	_, err = a.tx.Exec(ctx, `update undeliverable set again = true where integration_id = $1`, id)
	return err
}

// sealToken gives the sealed token to store.
func (a *applying) sealToken(id, sealed string) (string, error) {
	if a.plan && a.store.keys == nil {
		return sealed, nil
	}
	token := a.spec.Destination.Token
	if stored, err := a.store.open(sealed, "deliveries", id, "token"); err == nil && stored == token {
		return sealed, nil
	}
	a.result.TokenChanged = true
	return a.store.seal(token, "deliveries", id, "token")
}
