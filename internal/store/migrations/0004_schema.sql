-- Schema and rights: what Salesforce lets the integration user see, what changed in
-- it, and the report of the last check.
--
-- Operational cost: two small empty tables; columns with constant defaults, which
-- rewrite nothing; short exclusive locks on integrations, objects, batches and the
-- staging table. Milliseconds on a live system.

-- View All on the object. Without it a record that is gone may only be hidden.
alter table objects
    add column view_all text not null default 'unknown' check (view_all in ('yes', 'no', 'unknown'));

-- A text of which an input could not be read: the one in force stays.
alter table staged add column text_kept boolean not null default false;

-- The batch is read, or is being read, without a field that can be read by now: its rows
-- are read once more after it is applied.
alter table batches add column read_again boolean not null default false;

alter table integrations
    add column schema_looked_at timestamptz,                   -- last time describe was asked whether anything changed
    add column check_requests   bigint not null default 0,     -- + 1 asks for a check now
    add column checks_answered  bigint not null default 0,     -- the requests that the last check answered
    add column check_report     jsonb,                         -- what the last check found, for people
    add column check_reported_at timestamptz;

-- What describe last said of an object and of the parents on its paths, as the user of
-- the grant sees them. Shortened to what is compared and needed for plans.
create table descriptions (
    integration_id text not null references integrations on delete cascade,
    object         text not null,                -- Salesforce API name
    visible        boolean not null,             -- false: describe said that there is no such object
    incomplete     boolean not null default false,   -- a field that the file needs, or would like, is not in it
    description    jsonb not null,               -- the last one seen, also of an object that is hidden now
    last_modified  text not null default '',     -- Salesforce's own mark, for a conditional question
    asked_at       timestamptz not null default now(),
    whole_at       timestamptz not null default now(),   -- when all of it was last read, not only asked whether it changed
    primary key (integration_id, object)
);

-- What changed in Salesforce's schema or in the user's rights. A row without resolved_at
-- is an alert: something is hidden now that was read before.
create table schema_events (
    id             bigint generated always as identity primary key,
    integration_id text not null references integrations on delete cascade,
    object         text not null,                -- that has the field; may be a parent
    field          text not null default '',     -- '' = the object itself
    kind           text not null check (kind in ('object_hidden', 'object_visible', 'field_hidden', 'field_visible',
                       'fields_added', 'fields_removed', 'type_changed')),
    message        text not null,
    hint           text not null default '',
    at             timestamptz not null default now(),
    resolved_at    timestamptz
);
create unique index schema_events_open on schema_events (integration_id, object, field, kind) where resolved_at is null;
create index schema_events_by_time on schema_events (integration_id, id);
