-- How far the check of an integration that is being set up is, for every authsvc.
--
-- Runs with: 19
-- Operational cost: one empty table; milliseconds.

-- The last check of a draft. It is made by whichever authsvc was asked, and looked at through any of them.
create table examinations (
    integration_id text primary key references integrations on delete cascade,
    run            bigint not null default 1,      -- one up with each
    lapses_at      timestamptz not null,           -- who makes it has given up by then, or is gone
    ended_at       timestamptz,
    problem        text not null default '',       -- why it ended without a report, for people
    hint           text not null default ''
);
