package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
)

// sealedColumn is a column whose values are sealed. The row's key is part of the seal, as text.
type sealedColumn struct {
	Table, Column string
	Field         string // what seal and open call it
	Key           string // SQL that gives the row's key as seal and open take it
	Of            string // SQL that gives the integration's id
	What          string // for people, in the plural
}

// sealedColumns is every column that is sealed. seal refuses what is not here, so that no key is ever
// taken out of the ring while something that nobody thought of is sealed with it.
var sealedColumns = []sealedColumn{
	{"connections", "consumer_secret", "consumer_secret", "integration_id", "integration_id", "consumer secrets"},
	{"connections", "access_token", "access_token", "integration_id", "integration_id", "access tokens"},
	{"connections", "refresh_token", "refresh_token", "integration_id", "integration_id", "refresh tokens"},
	{"deliveries", "token", "token", "integration_id", "integration_id", "tenants' tokens"},
	{"oauth_attempts", "verifier", "verifier", "encode(state_hash, 'hex')", "integration_id", "authorizations under way"},
	{"pending_grants", "grant_sealed", "grant", "encode(hash, 'hex')", "integration_id", "grants to be confirmed"},
}

// sealedField tells whether the field of the table is one of sealedColumns.
func sealedField(table, field string) bool {
	return slices.ContainsFunc(sealedColumns, func(c sealedColumn) bool { return c.Table == table && c.Field == field })
}

// SealedUse is how many values of one kind one key seals.
type SealedUse struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	What   string `json:"what"` // for people
	KeyID  string `json:"key_id"`
	Values int64  `json:"values"`
}

// SealedBy counts what each key seals, of every kind of value. The ids are those that are written in the values;
// no key is needed. What does not look like a sealed value has the KeyID "".
func (s *Store) SealedBy(ctx context.Context) ([]SealedUse, error) {
	const op = "count the sealed values"
	uses := []SealedUse{}
	for _, c := range sealedColumns {
		rows, err := s.pool.Query(ctx, fmt.Sprintf(`
			select case when %[1]s like 'v1:%%:%%' then split_part(%[1]s, ':', 2) else '' end, count(*) from %[2]s where %[1]s <> '' group by 1 order by 1`,
			c.Column, c.Table))
		if err != nil {
			return nil, translate(op, err)
		}
		u := SealedUse{Table: c.Table, Column: c.Column, What: c.What}
		if _, err := pgx.ForEachRow(rows, []any{&u.KeyID, &u.Values}, func() error { uses = append(uses, u); return nil }); err != nil {
			return nil, translate(op, err)
		}
	}
	return uses, nil
}

// resealRows is how many values are sealed anew in one transaction: few, because whoever renews one of these tokens
// waits for it.
const resealRows = 50

// Resealed is how far Reseal has come.
type Resealed struct {
	Resealed int64 // values that have the first key now
	Changed  int64 // values that somebody replaced meanwhile; theirs is newer
	Failed   []ResealFailure
}

// ResealFailure is a value that does not open with any key of the ring. It stays as it is.
type ResealFailure struct {
	What        string `json:"what"`
	Integration string `json:"integration"`
	KeyID       string `json:"key_id"`
	Problem     string `json:"problem"`
}

// sealedValue is one value of a sealedColumn.
type sealedValue struct {
	Key, Sealed, Integration string
}

// Reseal seals every value that another key than the ring's first one sealed with that one, and calls told after each
// transaction. A value that somebody replaces meanwhile, such as a token that is renewed, stays as they made it.
// It may be ended and repeated, and run beside anything.
func (s *Store) Reseal(ctx context.Context, told func(Resealed)) (Resealed, error) {
	var all Resealed
	if s.keys == nil {
		return all, fault.New(fault.Invalid, "ENCRYPTION_KEYS is missing").WithHint("set it to the key ring that the worker and authsvc use")
	}
	for _, c := range sealedColumns {
		after := ""
		for {
			var next string
			var one Resealed
			err := s.inTx(ctx, "seal "+c.What+" anew", func(tx pgx.Tx) (err error) {
				one, next, err = s.resealPage(ctx, tx, c, after)
				return err
			})
			if err != nil {
				return all, err
			}
			all.Resealed += one.Resealed
			all.Changed += one.Changed
			all.Failed = append(all.Failed, one.Failed...)
			if told != nil {
				told(all)
			}
			if next == "" {
				break
			}
			after = next
		}
	}
	return all, nil
}

// resealPage seals the next values behind a key anew, and gives the last key it looked at, "" at the end.
func (s *Store) resealPage(ctx context.Context, tx pgx.Tx, c sealedColumn, after string) (done Resealed, next string, err error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(`
		select v.key, v.sealed, coalesce(p.name || '/' || i.name, '')
		from (select %[1]s as key, %[2]s as sealed, %[3]s as of from %[4]s) v
		left join integrations i on i.id = v.of left join projects p on p.id = i.project_id
		where v.sealed <> '' and split_part(v.sealed, ':', 2) <> $1 and v.key > $2
		order by v.key limit $3`, c.Key, c.Column, c.Of, c.Table), s.keys.SealingKeyID(), after, resealRows)
	if err != nil {
		return done, "", err
	}
	values, err := pgx.CollectRows(rows, pgx.RowToStructByPos[sealedValue])
	if err != nil {
		return done, "", err
	}
	for _, v := range values {
		sealed, err := s.resealed(c, v)
		if err != nil {
			done.Failed = append(done.Failed, ResealFailure{What: c.What, Integration: v.Integration, KeyID: secret.KeyIDOf(v.Sealed), Problem: err.Error()})
			continue
		}
		// Only if it is still what was opened: a token that was renewed meanwhile must not be lost.
		tag, err := tx.Exec(ctx, fmt.Sprintf(`update %s set %s = $3 where %s = $1 and %[2]s = $2`, c.Table, c.Column, c.Key), v.Key, v.Sealed, sealed)
		if err != nil {
			return done, "", err
		}
		done.Resealed += tag.RowsAffected()
		done.Changed += 1 - tag.RowsAffected()
	}
	if len(values) == resealRows {
		next = values[len(values)-1].Key
	}
	return done, next, nil
}

// resealed is the value sealed with the ring's first key.
func (s *Store) resealed(c sealedColumn, v sealedValue) (string, error) {
	plain, err := s.open(v.Sealed, c.Table, v.Key, c.Field)
	if err != nil {
		return "", err
	}
	return s.seal(plain, c.Table, v.Key, c.Field)
}

// AbandonKey gives up what a lost key sealed: grants become lost, consumer secrets and tenants' tokens are empty until the
// files are applied with them again, authorizations under way end. It says how many values that were. fault.Conflict while the
// store's own ring has the key.
func (s *Store) AbandonKey(ctx context.Context, keyID string) (values int64, err error) {
	if s.keys != nil && slices.Contains(s.keys.KeyIDs(), keyID) {
		return 0, fault.New(fault.Conflict, "the key %s is in the ring: what it sealed opens", keyID)
	}
	err = s.inTx(ctx, "give up what key "+keyID+" sealed", func(tx pgx.Tx) error {
		by := func(column string) string {
			return "(" + column + " like 'v1:%' and split_part(" + column + ", ':', 2) = $1)"
		}
		for _, c := range sealedColumns {
			var n int64
			if err := tx.QueryRow(ctx, fmt.Sprintf(`select count(*) from %s where %s`, c.Table, by(c.Column)), keyID).Scan(&n); err != nil {
				return err
			}
			values += n
		}
		for _, sql := range []string{
			// A grant needs both tokens, and its tokens the secret.
			`update connections c set state = case when c.state = 'granted' then 'lost' else c.state end,
				lost_reason = 'the key that sealed the tokens was lost', lost_hint = 'run ` + "`starter connect '" + ` || p.name || '/' || i.name || '` + "`" + `',
				access_token = '', refresh_token = '', token_instance_url = '', generation = c.generation + 1, refresh_started_at = null, updated_at = now()
			 from integrations i join projects p on p.id = i.project_id
			 where i.id = c.integration_id and (` + by("c.access_token") + ` or ` + by("c.refresh_token") + `)`,
			`update connections set consumer_secret = '', updated_at = now() where ` + by("consumer_secret"),
			`update deliveries set token = '' where ` + by("token"),
			`delete from oauth_attempts where ` + by("verifier"),
			`delete from pending_grants where ` + by("grant_sealed"),
		} {
			if _, err := tx.Exec(ctx, sql, keyID); err != nil {
				return err
			}
		}
		if values == 0 {
			return nil
		}
		if err := audited(ctx, tx, AuditEvent{Type: EventKeyAbandoned, Details: map[string]any{"key": keyID, "values": values}}); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `select pg_notify($1, integration_id) from connections`, channelWake)
		return err
	})
	return values, err
}
