-- Texts made anew of stored raw copies, how long raw copies are kept, and what cannot become
-- a comment.
--
-- Operational cost: one small empty table; columns with constant defaults, which rewrite
-- nothing; one CHECK of streams swapped, and two indexes built, over batches and over set_aside
-- (a read of each; writers wait for it). Seconds where there are millions of batches.

-- ---------------------------------------------------------------- retransforms

-- A lane for texts that are made anew without asking Salesforce. Its batches have no chunks:
-- their records are where they were.
do $$
declare
    name text;
begin
    select conname into strict name from pg_constraint
    where conrelid = 'streams'::regclass and contype = 'c' and pg_get_constraintdef(oid) like '%sweep%';
    execute format('alter table streams drop constraint %I', name);
end $$;
alter table streams add constraint streams_lane_check check (lane in ('live', 'backfill', 'resync', 'sweep', 'retransform'));

create table retransforms (
    id               bigint generated always as identity primary key,
    integration_id   text not null references integrations on delete cascade,
    object           text not null,
    epoch            bigint not null,             -- of the mapping that it was planned with
    cleaning_version int not null,                -- that makes the texts
    total            bigint not null,             -- records when it was asked for
    at_id            text collate "C" not null default '',   -- made anew up to here
    counts           jsonb not null default '{}', -- flow.RetransformCounts, up to there
    desired          text not null default 'running' check (desired in ('running', 'cancelled')),
    state            text not null default 'open' check (state in ('open', 'done', 'cancelled')),
    reason           text not null default '',    -- why it ended before its end
    requested_at     timestamptz not null default now(),
    started_at       timestamptz,
    beat_at          timestamptz,                 -- when it was last seen at work
    finished_at      timestamptz,
    check ((state = 'open') = (finished_at is null))
);
create unique index retransforms_open on retransforms (integration_id, object) where state = 'open';
create index retransforms_of on retransforms (integration_id, object, id);

-- ---------------------------------------------------------------- what cannot become a comment

-- With which cleaning version and mapping it was last tried; '' = with those that set it aside.
alter table set_aside add column tried text collate "C" not null default '';
create index set_aside_tried on set_aside (source_id, object, tried, record_id);

-- ---------------------------------------------------------------- retention

-- When the raw copies of an applied batch were removed, because they were older than the file
-- wants. The row stays as the receipt.
alter table batches add column raw_removed_at timestamptz;
create index batches_raw on batches (stream_id, applied_at) where state = 'applied' and chunks > 0 and raw_removed_at is null;

-- ---------------------------------------------------------------- checks

-- Plans are made once more, with what this release's presets know.
update integrations set check_requests = check_requests + 1;
