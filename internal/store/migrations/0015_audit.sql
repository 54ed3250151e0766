-- The audit log: who connected, changed, read in bulk, exported and deleted.
--
-- Operational cost: two empty tables; milliseconds.

-- Written with what it tells of, and never again. No references: it outlives whom and what it names.
create table audit_events (
    id            bigint generated always as identity primary key,
    type          text not null check (type ~ '^[a-z_]+\.[a-z_]+$'),
    at            timestamptz not null default now(),
    actor         text not null check (actor in ('user', 'token', 'starter', 'salesforce', 'system')),
    actor_user_id text,                          -- of a user, and of a token its user
    actor_token   text,                          -- the token's id, never the token
    actor_name    text not null default '',      -- an email; the OS user of starter; a name in Salesforce; a program
    address       text not null default '',
    request_id    text not null default '',
    project_ids   text[] not null default '{}',
    source_ids    text[] not null default '{}',
    user_ids      text[] not null default '{}',
    names         jsonb not null default '{}',   -- of these ids, as they were then
    details       jsonb not null default '{}'    -- what else is to know; never a secret, never a text of a comment
);
create index audit_events_by_time on audit_events (at, id);

-- Events of which there are many alike: one for each caller, source and hour, at once with the first. How many there
-- were is counted here, and only ever grows.
create table audit_counts (
    event    bigint primary key references audit_events,
    type     text not null,
    actor    text not null,                      -- whose, in one word
    subject  text not null,                      -- the source's id, or ''
    hour     timestamptz not null,
    requests bigint not null,
    rows     bigint not null,
    unique (actor, type, subject, hour)
) with (fillfactor = 50);

create function refuse_other_past() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is only added to' using errcode = 'check_violation';
end $$;
create trigger kept before update or delete or truncate on audit_events for each statement execute function refuse_other_past();
create trigger kept before delete or truncate on audit_counts for each statement execute function refuse_other_past();
create trigger grows before update on audit_counts for each row
    when (new.requests < old.requests or new.rows < old.rows or (new.event, new.type, new.actor, new.subject, new.hour) is distinct from
          (old.event, old.type, old.actor, old.subject, old.hour)) execute function refuse_other_past();
