package store

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"salesforcesync/internal/fault"
)

// countKept is how many comments a source has, out of what the database counted whenever
// one came or went.
const countKept = `(select coalesce(sum(k.comments), 0)::bigint from comment_counts k where k.source_id = `

// CountFilter is which comments are to be counted. Bounds are inclusive, nil is open.
type CountFilter struct {
	From, To   *time.Time
	Properties map[string]PropertyFilter // by name, such as string:Priority; all must hold
}

// PropertyFilter is what a property must be.
type PropertyFilter struct {
	OneOf    []any // strings and float64; empty = any value or none
	NotOneOf []any
}

// CountComments counts a source's comments with a timestamp from from to to, both inclusive, nil is open.
func (s *Store) CountComments(ctx context.Context, sourceID string, from, to *time.Time) (n int64, err error) {
	return s.CountMatching(ctx, sourceID, CountFilter{From: from, To: to})
}

// CountMatching counts the comments that the filter lets through, exactly. Without a filter it counts
// nothing: the number is kept.
func (s *Store) CountMatching(ctx context.Context, sourceID string, f CountFilter) (n int64, err error) {
	if f.From == nil && f.To == nil && len(f.Properties) == 0 {
		err = s.pool.QueryRow(ctx, `select `+countKept+`$1)`, sourceID).Scan(&n)
		return n, translate("count comments", err)
	}
	names, oneOf, notOneOf, err := f.properties()
	if err != nil {
		return 0, err
	}
	// A property that is not there is an array of null, which no list of values holds.
	err = s.pool.QueryRow(ctx, `
		select count(*) from comments c
		 where c.source_id = $1 and`+visible+`and c.ts >= $2 and c.ts <= $3
		   and (cardinality($4::text[]) = 0 or not exists (
		       select from unnest($4::text[], $5::text[]::jsonb[], $6::text[]::jsonb[]) as p (name, one_of, not_one_of)
		        where p.one_of <> '[]' and not p.one_of @> jsonb_build_array(c.properties->p.name)
		           or p.not_one_of @> jsonb_build_array(c.properties->p.name)))`,
		sourceID, orInfinity(f.From, pgtype.NegativeInfinity), orInfinity(f.To, pgtype.Infinity), names, oneOf, notOneOf).Scan(&n)
	return n, translate("count comments", err)
}

// properties are the conditions on properties, in columns; values as JSON arrays.
func (f CountFilter) properties() (names, oneOf, notOneOf []string, err error) {
	names = slices.Sorted(maps.Keys(f.Properties))
	if names == nil {
		names = []string{}
	}
	for _, name := range names {
		for _, list := range []struct {
			values []any
			into   *[]string
		}{{f.Properties[name].OneOf, &oneOf}, {f.Properties[name].NotOneOf, &notOneOf}} {
			raw, err := json.Marshal(append([]any{}, list.values...))
			if err != nil {
				return nil, nil, nil, fault.Wrap(fault.Invalid, err, "property %.64q has a value that is no string and no number", name)
			}
			*list.into = append(*list.into, string(raw))
		}
	}
	return names, oneOf, notOneOf, nil
}

// compactFrom is how many rows a source's count may consist of before they are added up.
const compactFrom = 100

// CompactCounts adds up the rows that the counts of sources consist of, where there are many. Who counts
// meanwhile sees the sum either way; rows that are being added stay.
func (s *Store) CompactCounts(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `
		with many as (
			select source_id from comment_counts group by source_id having count(*) > $1
		), taken as (
			delete from comment_counts k using many m where k.source_id = m.source_id returning k.source_id, k.comments
		)
		insert into comment_counts (source_id, comments) select source_id, sum(comments) from taken group by source_id`, compactFrom)
	return translate("add up the counts of comments", err)
}
