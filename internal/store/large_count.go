package store

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Counting millions of rows takes a second, and a status is asked for once a second while
// somebody watches a load. While a load is open, a count of many rows is shown again for as long as it
// takes to make counting a small part of what the database does. When it is over, they are counted.
const (
	largeCount      = 50_000           // rows from which on counts are kept
	largeCountShare = 20               // a count is kept for so many times what it took
	largeCountKept  = 10 * time.Second // and no longer
)

// largeCounts keeps counts of many rows for a short while. Its zero value is ready.
type largeCounts struct {
	mu   sync.Mutex
	kept map[string]keptCount
}

type keptCount struct {
	number int64
	until  time.Time
}

// find returns the number that is kept under a key.
func (c *largeCounts) find(key string) (number int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.kept[key]
	if ok && time.Now().After(k.until) {
		delete(c.kept, key)
		ok = false
	}
	return k.number, ok
}

// keep keeps a number if it is large; took is how long it took to count.
func (c *largeCounts) keep(key string, number int64, took time.Duration) {
	if number < largeCount {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = map[string]keptCount{}
	}
	c.kept[key] = keptCount{number, time.Now().Add(min(largeCountShare*took, largeCountKept))}
}

// loading are the sources into which a load is under way.
func loading(ctx context.Context, q rowsQuerier) (map[string]bool, error) {
	rows, err := q.Query(ctx, `
		select distinct i.source_id from backfills f join integrations i on i.id = f.integration_id where f.state = 'open'`)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	var id string
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		out[id] = true
		return nil
	})
	return out, err
}

// countRecords fills in how many records of an object are comments. open says that a load into the
// source is under way.
func (s *Store) countRecords(ctx context.Context, q querier, sourceID string, open bool, o *ObjectStatus) error {
	key := "records " + sourceID + "/" + o.Name
	n, ok := s.counts.find(key)
	if !ok || !open {
		begun := time.Now()
		if err := q.QueryRow(ctx, `select count(*) from records where source_id = $1 and object = $2 and state = 'live'`, sourceID, o.Name).Scan(&n); err != nil {
			return err
		}
		s.counts.keep(key, n, time.Since(begun))
	}
	o.Comments = n
	return nil
}

// countApart fills in how many records of an object are filtered and invisible, which are few.
func countApart(ctx context.Context, q querier, sourceID string, o *ObjectStatus) error {
	return q.QueryRow(ctx, `
		select count(*) filter (where state = 'filtered'), count(*) filter (where state = 'invisible')
		  from records where source_id = $1 and object = $2 and state in ('filtered', 'invisible')`, sourceID, o.Name).Scan(&o.Filtered, &o.Invisible)
}
