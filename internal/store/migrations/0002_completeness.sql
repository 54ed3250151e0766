-- Completeness: what reading by Id proved, a lane for reading again, and the ledger
-- that says, per object and month, how many rows Salesforce has and how many we have.
--
-- Operational cost: adds columns with constant defaults, swaps one CHECK of batches
-- (validated without blocking writers) and creates empty tables; milliseconds, and one
-- read of batches for the validation.

-- ---------------------------------------------------------------- verdicts

-- What a staged row says of a record that a query did not give: it is outside the
-- object's condition, or no longer visible.
alter table staged add column verdict text check (verdict in ('filtered', 'invisible'));

alter table batches
    add column filtered  bigint not null default 0,
    add column invisible bigint not null default 0,
    add column final     boolean not null default false;   -- its lane ends with this batch

do $$
declare
    name text;
begin
    select conname into strict name from pg_constraint
    where conrelid = 'batches'::regclass and contype = 'c' and pg_get_constraintdef(oid) like '%metadata_changed%';
    execute format('alter table batches drop constraint %I', name);
end $$;
alter table batches add constraint batches_rows_add_up check (state <> 'applied'
    or rows = created + text_changed + metadata_changed + unchanged + stale + set_aside + deleted + filtered + invisible) not valid;
alter table batches validate constraint batches_rows_add_up;

-- Since when, by Salesforce's clock, a record that was asked for by Id did not come
-- back. It is judged when the log of deletes covers that moment.
alter table rechecks add column absent_since timestamptz;

-- ---------------------------------------------------------------- reading again

-- The resync lane: rows with a stamp in [from_stamp, until_stamp] are read again; null
-- is unbounded. hi is how far it has come.
alter table streams
    add column from_stamp   timestamptz,
    add column until_stamp  timestamptz,
    add column reason       text not null default '',
    add column requested_at timestamptz,
    add column finished_at  timestamptz;

-- ---------------------------------------------------------------- parents

-- How far changes of a parent are known to have been followed for good; null = as far as hi was at first.
alter table dependencies add column verified_to timestamptz;

-- Parents behind that point and the stamp they had when their children were noted.
create table followed (
    integration_id text not null,
    object         text not null,
    path           text not null,
    parent         text not null,
    record_id      text collate "C" not null,
    stamp          timestamptz not null,
    pending        boolean not null default false,   -- its children are still to be noted
    settled        boolean not null default false,   -- they were noted, or are to be, after its stamp had settled
    primary key (integration_id, object, path, parent, record_id),
    foreign key (integration_id, object, path, parent) references dependencies on delete cascade
);

-- ---------------------------------------------------------------- the ledger of completeness

-- Of live streams: what comparing with Salesforce found, and how far it has come.
-- salesforce_rows, counted_at, stored_rows and counted_to belong together: rows with a
-- stamp up to counted_to by COUNT() and by our own count.
alter table streams
    add column settled_to    timestamptz,        -- everything up to here had settled when read_order stood at settled_order:
    add column settled_order bigint,             -- what was read before is read once more
    add column compare_after timestamptz not null default now(),   -- when the next comparison is due
    add column deletes_to    timestamptz,        -- the log of deletes was read up to here, by Salesforce's clock
    add column sweep_stamp   timestamptz,        -- the rolling comparison Id by Id: where it stands
    add column sweep_id      text collate "C",
    add column swept_at      timestamptz,        -- when a whole one ended
    add column stored_rows   bigint,
    add column counted_to    timestamptz,
    add column repaired      bigint not null default 0;   -- differences found, ever

-- The counts per month of the stamp.
create table completeness (
    stream_id       bigint not null references streams on delete cascade,
    month           date not null check (extract(day from month) = 1),
    salesforce_rows bigint not null,             -- answered to COUNT()
    rows            bigint not null,             -- ours
    checked_at      timestamptz not null default now(),
    primary key (stream_id, month)
);

-- Ids that Salesforce's log of deletes named, kept for as long as Salesforce keeps them.
create table deletions (
    integration_id text not null references integrations on delete cascade,
    object         text not null,
    record_id      text collate "C" not null,
    deleted_at     timestamptz not null,
    primary key (integration_id, object, record_id)
);
create index deletions_age on deletions (integration_id, object, deleted_at);
