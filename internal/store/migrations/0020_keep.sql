-- What was erased because somebody asked to be forgotten.
--
-- Operational cost: one empty table; milliseconds.

-- Records whose texts are not kept any more although Salesforce may have them still: whatever is read of them
-- is set aside, and their raw copies are removed again. By source and Id, so that it outlives the integration.
create table forgotten (
    source_id text not null references sources on delete cascade,
    record_id text collate "C" not null,
    at        timestamptz not null default now(),
    primary key (source_id, record_id)
);
