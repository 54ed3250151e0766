-- What was erased because somebody asked to be forgotten.
--
-- Runs with: 19
-- Operational cost: one empty table; milliseconds. Forget nobody before the last worker of the release before has
-- stopped: it does not know the table, and would bring back what it reads.

-- Records whose texts are not kept any more although Salesforce may have them still: whatever is read of them
-- is set aside, and their raw copies are removed again. By source and Id, so that it outlives the integration.
create table forgotten (
    source_id text not null references sources on delete cascade,
    record_id text collate "C" not null,
    at        timestamptz not null default now(),
    primary key (source_id, record_id)
);
