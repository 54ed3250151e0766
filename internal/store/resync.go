package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// Resync is the lane in which an object's rows are read again: those with a stamp
// from From to Until, each zero for unbounded. At is how far it has come.
type Resync struct {
	Stream      int64
	Epoch       int64
	Seq         int64 // last applied
	At          Position
	From, Until time.Time
	Reason      string
	LastAt      time.Time // when something was last done in it, or it was asked for
}

// RequestResync asks for the object's rows with a stamp in [from, until] to be read
// again and compared with what is stored, each zero for unbounded. It costs nothing where
// nothing changed. A request that is still open is widened to hold both, and begins anew.
// The next comparison with Salesforce is due at once, and whoever watches is woken.
// fault.NotFound when the integration has no such object.
func (s *Store) RequestResync(ctx context.Context, integrationID, object string, from, until time.Time, reason string) error {
	return s.inTx(ctx, "ask for a resync", func(tx pgx.Tx) error {
		if err := requestResync(ctx, tx, integrationID, object, from, until, reason); err != nil {
			return err
		}
		if actingOf(ctx).actor.Kind != ActorSystem { // what repairs itself is nobody's doing
			if err := auditedIntegration(ctx, tx, EventResyncRequested, integrationID, spanDetails(object, from, until)); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `update integrations set sync_requests = sync_requests + 1 where id = $1`, integrationID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `select pg_notify($1, $2)`, channelWake, integrationID)
		return err
	})
}

func requestResync(ctx context.Context, tx pgx.Tx, integrationID, object string, from, until time.Time, reason string) error {
	// The live stream first: Upsert locks a stream, and one order serves all.
	tag, err := tx.Exec(ctx, `
		update streams set compare_after = now(), sweep_stamp = null, sweep_id = null
		where integration_id = $1 and object = $2 and lane = 'live'`, integrationID, object)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return fault.New(fault.NotFound, "the integration has no object %s", object).
			WithHint("`starter status` lists its objects")
	}
	// A batch under way is of the old window: the number it was to have is passed over.
	_, err = tx.Exec(ctx, `
		insert into streams as st (integration_id, object, lane, epoch, from_stamp, until_stamp, reason, requested_at)
		select i.id, $2, 'resync', i.epoch, $3, $4, $5, now() from integrations i where i.id = $1
		on conflict (integration_id, object, lane, part) do update set
			epoch = excluded.epoch, seq = st.seq + 1, hi_stamp = null, hi_id = null,
			from_stamp = case when st.finished_at is not null then excluded.from_stamp
				when st.from_stamp is null or excluded.from_stamp is null then null else least(st.from_stamp, excluded.from_stamp) end,
			until_stamp = case when st.finished_at is not null then excluded.until_stamp
				when st.until_stamp is null or excluded.until_stamp is null then null else greatest(st.until_stamp, excluded.until_stamp) end,
			reason = excluded.reason, requested_at = now(), finished_at = null`,
		integrationID, object, nullTime(from), nullTime(until), reason)
	return err
}

// resyncRow reads the columns of a lane that may not be there.
type resyncRow struct {
	id, epoch, seq *int64
	hiStamp        *time.Time
	hiID           *string
	from, until    *time.Time
	reason         *string
	lastAt         *time.Time
}

func (r resyncRow) lane() *Resync {
	if r.id == nil {
		return nil
	}
	lane := &Resync{Stream: *r.id, Epoch: *r.epoch, Seq: *r.seq, Reason: *r.reason, LastAt: *r.lastAt}
	if r.hiStamp != nil {
		lane.At = Position{Stamp: *r.hiStamp, ID: *r.hiID}
	}
	if r.from != nil {
		lane.From = *r.from
	}
	if r.until != nil {
		lane.Until = *r.until
	}
	return lane
}

// ObjectNames gives the integration's objects in file order, or, when some are wanted,
// those in the stored spelling. fault.NotFound names one that it has not got.
func (s *Store) ObjectNames(ctx context.Context, integrationID string, wanted []string) ([]string, error) {
	rows, err := s.pool.Query(ctx, `select name from objects where integration_id = $1 order by position`, integrationID)
	if err != nil {
		return nil, translate("read the objects", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(wanted) == 0 {
		return all, translate("read the objects", err)
	}
	var out []string
	for _, want := range wanted {
		i := slices.IndexFunc(all, func(name string) bool { return strings.EqualFold(name, want) })
		if i < 0 {
			return nil, fault.New(fault.NotFound, "the integration has no object %s", want).
				WithHint("it has %s", strings.Join(all, ", "))
		}
		if !slices.Contains(out, all[i]) {
			out = append(out, all[i])
		}
	}
	return out, nil
}
