package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

// DeliveryTotals is how the deliveries are, of all integrations together.
type DeliveryTotals struct {
	States        map[string]int64 // how many there are in each state, as people are shown it
	Behind        time.Duration    // how long ago the oldest change was made that is not delivered
	Undeliverable int64            // comments that tenants refuse for what they are
	Counts        flow.DeliveryCounts
}

// DeliveryTotals reads how the deliveries are.
func (s *Store) DeliveryTotals(ctx context.Context) (DeliveryTotals, error) {
	const op = "read how the deliveries are"
	t := DeliveryTotals{States: map[string]int64{}}
	rows, err := s.pool.Query(ctx, `
		select i.desired, d.state, d.counts,
		       (select count(*) from undeliverable u where u.integration_id = d.integration_id),
		       coalesce(extract(epoch from now() - next.last_modified), 0)::float8
		  from deliveries d
		  join integrations i on i.id = d.integration_id
		 cross join (select `+lifeOfDatabase+` as life) l
		  left join lateral (
		       select c.last_modified from comments c
		        where c.source_id = d.source_id
		          and (c.changed, c.id) > (case when d.life = l.life then d.at_changed else '0' end, case when d.life = l.life then d.at_id else '' end)
		        order by c.changed, c.id limit 1) next on true`)
	if err != nil {
		return t, translate(op, err)
	}
	var d Delivery
	var raw []byte
	var undeliverable int64
	var behind float64
	_, err = pgx.ForEachRow(rows, []any{&d.Desired, &d.State, &raw, &undeliverable, &behind}, func() error {
		var counts flow.DeliveryCounts
		if err := json.Unmarshal(raw, &counts); err != nil {
			return fault.Wrap(fault.Internal, err, op)
		}
		state, _, _ := d.Shown()
		t.States[state]++
		t.Counts.Add(counts)
		t.Undeliverable += undeliverable
		t.Behind = max(t.Behind, time.Duration(behind*float64(time.Second)))
		return nil
	})
	return t, translate(op, err)
}
