-- Passes over whole objects, and erasing.
--
-- Operational cost: creates empty tables, adds two columns without rewriting anything, and
-- builds a small index over batches (a read of that table; writers wait for it).

-- How far the reading of a whole object by Id came, for objects whose changes no date
-- shows. A row of another epoch than its stream's is an answer to another question.
create table passes (
    stream_id bigint primary key references streams on delete cascade,
    epoch     bigint not null,
    begun     timestamptz not null,              -- Salesforce's clock when the first page was asked for
    at_id     text collate "C" not null,         -- read up to here
    pages     int not null,                      -- asked for so far: what a pass costs decides how often it is made
    through   bigint not null,                   -- the last batch that holds rows of it
    next      timestamptz,                       -- when the next one is due; null while this one is under way
    settled   boolean not null default false     -- ended, applied, and noted so
);

-- ---------------------------------------------------------------- erasing

-- Which records a chunk holds. Null in chunks of 0.1.0: they are looked through once,
-- when something is to be erased.
alter table raw_chunks add column ids text[] collate "C";

-- Rows that were taken out of the batch's raw copy again; rows stays the receipt's number.
alter table batches add column erased bigint not null default 0;

-- What fenced batches left behind is found without a look at all receipts.
create index batches_open on batches (stream_id) where state <> 'applied';

-- Deleted records whose raw copies, and texts where the policy came later, are still to be removed.
create table erasures (
    source_id  text not null references sources on delete cascade,
    object     text not null,
    record_id  text collate "C" not null,
    read_end   bigint not null,                  -- in read order: later versions are of a record that came back
    asked_at   timestamptz not null default now(),
    not_before timestamptz not null default now(),
    primary key (source_id, object, record_id)
);
