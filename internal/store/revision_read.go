package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
)

// Revision is a text that a comment has or had, and what it cost.
type Revision struct {
	Number          int
	InForce         bool
	Texts           []comment.Texts // of each message
	CleaningVersion int
	CreatedAt       time.Time
	Units           int    // AI units; 0 = it was not billed
	Reason          string // why it was billed: created or text_changed; "" = it was not
}

// Revisions lists a comment's texts, the newest first, those before a number (0 = all). A comment that is
// deleted or erased is fault.NotFound.
func (s *Store) Revisions(ctx context.Context, sourceID, commentID string, before, limit int) (page []Revision, more bool, err error) {
	const op = "read the revisions"
	rows, err := s.pool.Query(ctx, `
		select r.revision, r.revision = c.revision, r.texts, r.cleaning_version, r.created_at, coalesce(l.units, 0), coalesce(l.reason, '')
		  from comments c
		  join revisions r on r.source_id = c.source_id and r.comment_id = c.id and ($3 = 0 or r.revision < $3)
		  left join ledger l on l.source_id = r.source_id and l.comment_id = r.comment_id and l.revision = r.revision
		 where c.source_id = $1 and c.id = $2 and`+visible+`
		 order by r.revision desc limit $4`, sourceID, commentID, before, limit+1)
	if err != nil {
		return nil, false, translate(op, err)
	}
	page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Revision, err error) {
		var texts []byte
		if err := row.Scan(&r.Number, &r.InForce, &texts, &r.CleaningVersion, &r.CreatedAt, &r.Units, &r.Reason); err != nil {
			return r, err
		}
		return r, json.Unmarshal(texts, &r.Texts)
	})
	if err != nil {
		return nil, false, translate(op, err)
	}
	if len(page) == 0 && before == 0 { // a comment that is there has a text
		return nil, false, fault.New(fault.NotFound, "%s", op)
	}
	if more = len(page) > limit; more {
		page = page[:limit]
	}
	return page, more, nil
}
