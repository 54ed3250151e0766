-- Comments that are delivered to a Communications Mining tenant.
--
-- Operational cost: two small empty tables.

-- How far an integration's comments are delivered: one row for each that has a destination. The
-- comments themselves are the outbox, in the order in which they changed.
create table deliveries (
    integration_id   text primary key references integrations on delete cascade,
    source_id        text not null,                     -- whose comments go out
    endpoint         text not null,
    project          text not null,
    source           text not null,                     -- at the endpoint
    token            text not null,                     -- sealed

    life             text not null default '',          -- of the database in which the place means something
    at_changed       xid8 not null default '0',         -- delivered up to this change
    at_id            text not null default '',
    counts           jsonb not null default '{}',       -- flow.DeliveryCounts, up to there
    caught_up_at     timestamptz,                       -- when there was nothing left to deliver
    sent_at          timestamptz,                       -- when the tenant last took something

    state            text not null default 'syncing' check (state in ('syncing', 'idle', 'backing_off', 'config_invalid')),
    reason           text not null default '',
    hint             text not null default '',
    said             text not null default '',          -- the tenant's own words for it
    since            timestamptz not null default now(),
    failures         int not null default 0,            -- in a row
    retry_at         timestamptz,

    holder           text not null default '',          -- who delivers; nobody else may until then
    held_until       timestamptz not null default '-infinity',

    tenant_comments  bigint,                            -- by the tenant's statistics
    own_comments     bigint,                            -- at the same time, undeliverable ones left out
    compared_at      timestamptz,

    requested_at     timestamptz not null default now()
);

-- Comments that the tenant refuses for what they are. The others go on without them.
create table undeliverable (
    integration_id   text not null references deliveries on delete cascade,
    comment_id       text not null,
    message          text not null,                     -- the tenant's
    since            timestamptz not null default now(),
    again            boolean not null default false,    -- to be tried once more as it is
    primary key (integration_id, comment_id)
);
create index undeliverable_again on undeliverable (integration_id, comment_id) where again;
