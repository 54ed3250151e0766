package store

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/secret"
)

// Delivery is how the comments of an integration are delivered to a tenant.
type Delivery struct {
	IntegrationID string
	Name          string // project/integration
	Desired       string // of the integration
	SourceID      string // whose comments go out

	Endpoint string
	Project  string
	Source   string

	At         Place // delivered up to here, in the life of the database that is now
	Counts     flow.DeliveryCounts
	CaughtUpAt *time.Time
	SentAt     *time.Time // when the tenant last took something

	State    string // syncing, idle, backing_off or config_invalid; what an operator wants comes before it
	Reason   string
	Hint     string
	Said     string // the tenant's own words for it, which may repeat a comment
	Since    time.Time
	Failures int // in a row
	RetryAt  *time.Time

	Undeliverable int64 // comments that the tenant refuses for what they are
	Again         bool  // some of these are to be tried once more

	TenantComments *int64 // by the tenant's statistics
	OwnComments    *int64 // at the same time, undeliverable ones left out
	ComparedAt     *time.Time

	life      string // the database's
	sealed    string
	requested time.Time // when all was to be delivered, from the first comment on
}

const selectDelivery = `
	select i.id, p.name || '/' || i.name, i.desired, d.source_id, d.endpoint, d.project, d.source,
	       case when d.life = l.life then d.at_changed::text else '0' end, case when d.life = l.life then d.at_id else '' end,
	       d.counts, d.caught_up_at, d.sent_at, d.state, d.reason, d.hint, d.said, d.since, d.failures, d.retry_at,
	       (select count(*) from undeliverable u where u.integration_id = i.id),
	       exists (select from undeliverable u where u.integration_id = i.id and u.again),
	       d.tenant_comments, d.own_comments, d.compared_at, l.life, d.token, d.requested_at
	  from integrations i
	  join projects p on p.id = i.project_id
	 cross join (select ` + lifeOfDatabase + ` as life) l
	  left join deliveries d on d.integration_id = i.id
	 where p.name = $1 and i.name = $2`

// Delivery reads how the comments of an integration are delivered; nil when it has no
// destination. fault.NotFound when there is no such integration.
func (s *Store) Delivery(ctx context.Context, project, integration string) (*Delivery, error) {
	const op = "read the delivery"
	var d Delivery
	var source, endpoint, to, toSource, at, state, sealed *string
	var id, reason, hint, said *string
	var counts []byte
	var since, requested *time.Time
	var failures *int
	err := s.pool.QueryRow(ctx, selectDelivery, project, integration).Scan(&d.IntegrationID, &d.Name, &d.Desired, &source, &endpoint, &to, &toSource,
		&at, &id, &counts, &d.CaughtUpAt, &d.SentAt, &state, &reason, &hint, &said, &since, &failures, &d.RetryAt,
		&d.Undeliverable, &d.Again, &d.TenantComments, &d.OwnComments, &d.ComparedAt, &d.life, &sealed, &requested)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, s.noIntegration(ctx, project, integration)
	}
	if err != nil || source == nil {
		return nil, translate(op, err)
	}
	d.SourceID, d.Endpoint, d.Project, d.Source, d.State, d.sealed = *source, *endpoint, *to, *toSource, *state, *sealed
	d.At.ID, d.Reason, d.Hint, d.Said, d.Since, d.Failures, d.requested = *id, *reason, *hint, *said, *since, *failures, *requested
	if d.At.Transaction, err = strconv.ParseUint(*at, 10, 64); err == nil {
		err = json.Unmarshal(counts, &d.Counts)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, op)
	}
	return &d, nil
}

// Shown is the state of the delivery and why, as people are shown it: what an operator wants
// holds at once, whether a worker has seen it or not.
func (d *Delivery) Shown() (state, reason, hint string) {
	switch d.Desired {
	case DesiredPaused:
		return flow.StatePaused, "paused by an operator", "run `starter resume " + d.Name + "`"
	case DesiredDisconnected:
		return flow.StateDisconnected, "the integration is disconnected", "run `starter connect " + d.Name + "`"
	}
	return d.State, d.Reason, d.Hint
}

// DeliveryToken opens the token that the tenant knows us by.
func (s *Store) DeliveryToken(d *Delivery) (secret.Text, error) {
	return s.open(d.sealed, "deliveries", d.IntegrationID, "token")
}

// DeliveryChanges reads what is to be delivered next.
func (s *Store) DeliveryChanges(ctx context.Context, d *Delivery, limit int) (Changes, error) {
	q := ChangeQuery{SourceID: d.SourceID, After: d.At, Where: d.life, Limit: limit}
	page, err := s.ChangesFrom(ctx, q)
	if fault.Is(err, fault.Conflict) {
		// It was another one when the delivery was read, a moment ago.
		return page, fault.Wrap(fault.Transient, err, "look again")
	}
	return page, err
}

// Behind says how much is not delivered yet.
func (s *Store) Behind(ctx context.Context, d *Delivery) (Backlog, error) {
	return s.BacklogFrom(ctx, d.SourceID, d.At)
}

// UndeliverableAgain reads comments, as they are now, that the tenant refused and that are
// to be tried once more. Those that are gone meanwhile have DeletedAt.
func (s *Store) UndeliverableAgain(ctx context.Context, d *Delivery, limit int) ([]Change, error) {
	if _, err := s.pool.Exec(ctx, `
		delete from undeliverable u where u.integration_id = $2 and u.again
		   and not exists (select from comments c where c.source_id = $1 and c.id = u.comment_id)`, d.SourceID, d.IntegrationID); err != nil {
		return nil, translate("read what was refused", err)
	}
	rows, err := s.pool.Query(ctx, selectChange+`
		 where (c.source_id, c.id) in (
		       select $1, u.comment_id from undeliverable u where u.integration_id = $2 and u.again order by u.comment_id limit $3)
		 order by c.id`, d.SourceID, d.IntegrationID, limit)
	if err != nil {
		return nil, translate("read what was refused", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Change, error) {
		c, _, err := scanChange(row)
		return c, err
	})
	return list, translate("read what was refused", err)
}

// HoldDelivery makes holder the only one who delivers for so long; it may be repeated. held is
// false while it is somebody else, or when there is nothing to deliver to.
func (s *Store) HoldDelivery(ctx context.Context, integrationID, holder string, hold time.Duration) (held bool, err error) {
	tag, err := s.pool.Exec(ctx, `
		update deliveries set holder = $2, held_until = clock_timestamp() + $3
		where integration_id = $1 and (holder = $2 or held_until <= clock_timestamp())`, integrationID, holder, hold)
	return tag.RowsAffected() > 0, translate("hold the delivery", err)
}

// LetGoDelivery lets the next one deliver at once.
func (s *Store) LetGoDelivery(ctx context.Context, integrationID, holder string) error {
	_, err := s.pool.Exec(ctx, `update deliveries set held_until = clock_timestamp() where integration_id = $1 and holder = $2`, integrationID, holder)
	return translate("let the delivery go", err)
}

// Refusal is a comment that the tenant refuses for what it is, and what it said.
type Refusal struct {
	ID      string
	Message string
}

// Delivered is a step of a delivery: what was sent and what came of it.
type Delivered struct {
	At      Place // up to here; the zero place leaves it where it is
	Counts  flow.DeliveryCounts
	Refused []Refusal
	Settled []string // comments that are delivered, or gone: no longer undeliverable
}

// SaveDelivered notes what was delivered. fault.Fenced when holder no longer holds the
// delivery, or it has another destination now: then it is done again, which costs nothing there. Where all
// is to be delivered again since d was read, the place stays at its beginning.
func (s *Store) SaveDelivered(ctx context.Context, d *Delivery, holder string, step Delivered) error {
	const op = "note what was delivered"
	counts := d.Counts
	counts.Add(step.Counts)
	at, moved := step.At, step.At != Place{}
	if !moved {
		at = d.At
	}
	ids, messages := make([]string, len(step.Refused)), make([]string, len(step.Refused))
	for i, r := range step.Refused {
		ids[i], messages[i] = r.ID, r.Message
	}
	err := s.inTx(ctx, op, func(tx pgx.Tx) error {
		raw, err := json.Marshal(counts)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			update deliveries set at_changed = case when requested_at = $8 then $3::text::xid8 else at_changed end,
				at_id = case when requested_at = $8 then $4 else at_id end, life = $5, counts = $6, sent_at = now(),
				failures = case when $7 then 0 else failures end, retry_at = null
			where integration_id = $1 and holder = $2 and held_until > clock_timestamp()`,
			d.IntegrationID, holder, at.transaction(), at.ID, d.life, raw, moved, d.requested)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return fault.New(fault.Fenced, "somebody else delivers, or there is another destination")
		}
		if len(step.Settled) > 0 {
			if _, err := tx.Exec(ctx, `delete from undeliverable where integration_id = $1 and comment_id = any($2)`, d.IntegrationID, step.Settled); err != nil {
				return err
			}
		}
		if len(ids) == 0 {
			return nil
		}
		_, err = tx.Exec(ctx, `
			insert into undeliverable (integration_id, comment_id, message)
			select $1, * from unnest($2::text[], $3::text[])
			on conflict (integration_id, comment_id) do update set message = excluded.message, again = false`, d.IntegrationID, ids, messages)
		return err
	})
	if err == nil {
		d.At, d.Counts, d.RetryAt = at, counts, nil
		if moved {
			d.Failures = 0
		}
	}
	return err
}

// SetDeliveryState notes how a delivery is, and when it goes on by itself. Nothing happens when holder
// does not hold it any more.
func (s *Store) SetDeliveryState(ctx context.Context, d *Delivery, holder string) error {
	err := s.pool.QueryRow(ctx, `
		update deliveries set state = $3, reason = $4, hint = $5, failures = $6, retry_at = $7, said = $8,
			since = case when state = $3 then since else now() end,
			caught_up_at = case when $3 = 'idle' then now() else caught_up_at end
		where integration_id = $1 and holder = $2 returning since`,
		d.IntegrationID, holder, d.State, d.Reason, d.Hint, d.Failures, d.RetryAt, d.Said).Scan(&d.Since)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return translate("note how the delivery is", err)
}

// DeliverableComments counts what the tenant should have.
func (s *Store) DeliverableComments(ctx context.Context, d *Delivery) (n int64, err error) {
	err = s.pool.QueryRow(ctx, `
		select (select count(*) from comments c where c.source_id = $1 and`+visible+`)
		     - (select count(*) from undeliverable u join comments c on c.source_id = $1 and c.id = u.comment_id
		         where u.integration_id = $2 and`+visible+`)`, d.SourceID, d.IntegrationID).Scan(&n)
	return n, translate("count what is to be delivered", err)
}

// SaveTenantCount notes how many comments the tenant has and how many it should have.
func (s *Store) SaveTenantCount(ctx context.Context, d *Delivery, holder string, tenant, own int64) error {
	_, err := s.pool.Exec(ctx, `
		update deliveries set tenant_comments = $3, own_comments = $4, compared_at = now() where integration_id = $1 and holder = $2`,
		d.IntegrationID, holder, tenant, own)
	return translate("note what the tenant has", err)
}

// ListUndeliverable lists comments that the tenant refuses, by id.
func (s *Store) ListUndeliverable(ctx context.Context, integrationID string, limit int) ([]Refusal, error) {
	rows, err := s.pool.Query(ctx, `select comment_id, message from undeliverable where integration_id = $1 order by comment_id limit $2`, integrationID, limit)
	if err != nil {
		return nil, translate("list what is undeliverable", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Refusal])
	return list, translate("list what is undeliverable", err)
}

// retryDelivery ends the waiting of a delivery, because somebody did something about what it
// waits for, or wants to know.
func retryDelivery(ctx context.Context, tx pgx.Tx, integrationID string) error {
	_, err := tx.Exec(ctx, `update deliveries set retry_at = null, failures = 0 where integration_id = $1`, integrationID)
	return err
}
