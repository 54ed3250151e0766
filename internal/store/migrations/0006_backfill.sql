-- Backfills: large loads beside the live lane, in parts, by Bulk API 2.0 where Salesforce
-- lets us.
--
-- Operational cost: three empty tables, and columns with constant defaults, which rewrite
-- nothing; short exclusive locks on batches and raw_chunks. Milliseconds.

-- ---------------------------------------------------------------- backfills

create table backfills (
    id             bigint generated always as identity primary key,
    integration_id text not null references integrations on delete cascade,
    object         text not null,
    first          boolean not null,              -- the first load: until it is done, the object is not complete
    known          boolean not null,              -- the store has records of the object: look before staging
    reason         text not null default '',      -- for people
    from_stamp     timestamptz,                   -- rows with a stamp in between; null = unbounded
    until_stamp    timestamptz,
    begun          timestamptz,                   -- of a first load: Salesforce's clock when the live lane was to begin
    desired        text not null default 'running' check (desired in ('running', 'paused', 'cancelled')),
    state          text not null default 'open' check (state in ('open', 'done', 'cancelled')),
    rows_expected  bigint,                        -- Salesforce's COUNT() when it was laid out; null = not counted
    planned        boolean not null default false,   -- its first range is known
    fault_kind     text not null default '',      -- what it waits for
    fault_message  text not null default '',
    fault_hint     text not null default '',
    retry_at       timestamptz,
    requested_at   timestamptz not null default now(),
    started_at     timestamptz,
    beat_at        timestamptz,                   -- when its workflow was last seen at work
    finished_at    timestamptz,
    check ((state = 'open') = (finished_at is null))
);
create unique index backfills_open on backfills (integration_id, object) where state = 'open';

-- A part is a range of CreatedDate with a stream of its own: a page of its result is a batch.
create table backfill_parts (
    backfill_id   bigint not null references backfills on delete cascade,
    part          int not null,
    stream_id     bigint unique references streams on delete cascade,   -- from 'waiting' on
    from_date     timestamptz,                    -- CreatedDate in [from, until); null = open end
    until_date    timestamptz,
    rows_expected bigint not null default 0,
    state         text not null check (state in ('splitting', 'waiting', 'asked', 'running', 'ready')),
    api           text not null default 'bulk' check (api in ('bulk', 'rest')),
    why_rest      text not null default '',
    attempt       int not null default 1,         -- of its job
    job_id        text collate "C",
    processed     bigint,                         -- numberRecordsProcessed of the complete job
    page_rows     int,                            -- maxRecords of its pages, the same for all of them
    chain_seq     bigint not null default 0,      -- batches behind this one are pages of the present job
    read_begin    bigint,                         -- read order before the job was asked for, and after it was complete
    read_end      bigint,
    server_time   timestamptz,                    -- Salesforce's clock before the job was asked for
    look_at       timestamptz not null default now(),   -- when to look at the job again
    looks         int not null default 0,
    primary key (backfill_id, part),
    check ((state = 'splitting') = (stream_id is null)),
    check (state <> 'running' or job_id is not null),
    check (state <> 'ready' or api = 'rest' or job_id is not null and processed is not null and read_begin is not null and read_end is not null)
);

-- Jobs that we have at Salesforce, and may have: the row is there before Salesforce is
-- asked for one. It outlives backfill and streams, until the job is gone.
create table bulk_jobs (
    id             bigint generated always as identity primary key,
    integration_id text not null references integrations on delete cascade,
    object         text not null,
    backfill_id    bigint,                        -- no reference: the job must be ended when the backfill is gone
    part           int,
    attempt        int,
    job_id         text collate "C",              -- null: asked for, and no answer is known
    asked_at       timestamptz not null,          -- by Salesforce's clock
    unwanted       boolean not null default false,
    retry_at       timestamptz
);
create index bulk_jobs_of on bulk_jobs (integration_id);
create unique index bulk_jobs_part on bulk_jobs (backfill_id, part, attempt);

-- ---------------------------------------------------------------- batches and chunks

alter table batches
    add column skipped      bigint not null default 0,   -- rows that were the stored ones to the letter, and were not staged
    add column fetched      bigint not null default 0,   -- rows of the page as they came
    add column next_locator text;                        -- of a backfill's page: where the next one begins; null = the last

-- How a chunk's payload is written: JSON lines, or CSV with its header.
alter table raw_chunks add column format text not null default 'json' check (format in ('json', 'csv'));
