package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// UserChange is what changes of a user, all of it or nothing. A link with which the user may choose a
// password is good no more after it, unless all that happens is that grants go.
type UserChange struct {
	Remove []Grant // before Add; one that is not there is fine
	Add    []Grant // one that is there is fine
	// PasswordHash replaces the password when not nil; "" takes it away. The user's sessions end.
	PasswordHash *string
	// Disabled lets the user in no more, or again, when not nil. To disable ends the sessions and
	// forgets who the user is at identity providers.
	Disabled *bool
	Delete   bool
}

// ChangeUser changes a user. enough says whether the grants of the users who are let in,
// one list each, leave somebody who can run the installation: a change after which they do not,
// although they did before, is fault.Conflict. An unknown user or project is fault.NotFound.
func (s *Store) ChangeUser(ctx context.Context, id string, c UserChange, enough func(of [][]Grant) bool) error {
	return s.inTx(ctx, "change user", func(tx pgx.Tx) error {
		// One change after the other: two administrators who remove each other at the same moment
		// would each see the other one stay. Readers go on.
		if _, err := tx.Exec(ctx, `lock table users in share row exclusive mode`); err != nil {
			return err
		}
		before, err := grantsOfAll(ctx, tx)
		if err != nil {
			return err
		}
		if err := changeUser(ctx, tx, id, c); err != nil {
			return err
		}
		after, err := grantsOfAll(ctx, tx)
		if err != nil {
			return err
		}
		if enough(before) && !enough(after) {
			return fault.New(fault.Conflict, "this is the last administrator").
				WithHint("make somebody else an administrator first")
		}
		return nil
	})
}

func changeUser(ctx context.Context, tx pgx.Tx, id string, c UserChange) error {
	var exists bool
	if err := tx.QueryRow(ctx, `select exists (select from users where id = $1)`, id).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		return fault.New(fault.NotFound, "there is no user %s", id)
	}
	if c.Delete {
		_, err := tx.Exec(ctx, `delete from users where id = $1`, id)
		return err
	}
	for _, g := range c.Remove {
		if _, err := tx.Exec(ctx, `
			with target as (select id from projects where name = $2),
			     role as (delete from user_roles where user_id = $1 and role = $4 and project_id is not distinct from (select id from target) and ($2 = '' or exists (select from target)))
			delete from user_permissions where user_id = $1 and permission = $3 and project_id is not distinct from (select id from target) and ($2 = '' or exists (select from target))`,
			id, g.Project, g.Permission, g.Role); err != nil {
			return err
		}
	}
	if err := addGrants(ctx, tx, id, c.Add); err != nil {
		return err
	}
	if len(c.Add) > 0 || c.PasswordHash != nil || c.Disabled != nil {
		if _, err := tx.Exec(ctx, `delete from password_links where user_id = $1`, id); err != nil {
			return err
		}
	}
	endSessions := false
	if c.PasswordHash != nil {
		endSessions = true
		if _, err := tx.Exec(ctx, `update users set password_hash = nullif($2, '') where id = $1`, id, *c.PasswordHash); err != nil {
			return err
		}
	}
	if c.Disabled != nil {
		if _, err := tx.Exec(ctx, `update users set disabled_at = case when $2 then coalesce(disabled_at, now()) end where id = $1`, id, *c.Disabled); err != nil {
			return err
		}
		if *c.Disabled {
			endSessions = true
			if _, err := tx.Exec(ctx, `delete from user_identities where user_id = $1`, id); err != nil {
				return err
			}
		}
	}
	if endSessions {
		_, err := tx.Exec(ctx, `delete from sessions where user_id = $1`, id)
		return err
	}
	return nil
}

// addGrants gives a user permissions and roles; a project that does not exist is fault.NotFound.
func addGrants(ctx context.Context, tx pgx.Tx, userID string, grants []Grant) error {
	for _, g := range grants {
		table, column, what := "user_permissions", "permission", g.Permission
		if g.Role != "" {
			table, column, what = "user_roles", "role", g.Role
		}
		if err := addGrant(ctx, tx, `insert into `+table+` (user_id, project_id, `+column+`)`, userID, g.Project, what); err != nil {
			return err
		}
	}
	return nil
}

// addGrant completes an insert into a table of (whose, which project, what).
func addGrant(ctx context.Context, tx pgx.Tx, insert, owner, project, what string) error {
	tag, err := tx.Exec(ctx, insert+`
		select $1, project, $3
		  from (select null::text as project where $2 = ''
		        union all
		        select id from projects where name = $2) as target
		on conflict do nothing`, owner, project, what)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 && project != "" {
		var known bool
		if err := tx.QueryRow(ctx, `select exists (select from projects where name = $1)`, project).Scan(&known); err != nil {
			return err
		}
		if !known {
			return fault.New(fault.NotFound, "there is no project %s", project)
		}
	}
	return nil
}

// grantsOfAll reads the grants of every user who is let in.
func grantsOfAll(ctx context.Context, tx pgx.Tx) ([][]Grant, error) {
	rows, err := tx.Query(ctx, `select`+identityColumns+` from users u`+identityJoin+` where u.disabled_at is null`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]Grant, error) {
		identity, err := scanIdentity(row)
		if err != nil {
			return nil, err
		}
		return identity.Grants, nil
	})
}
