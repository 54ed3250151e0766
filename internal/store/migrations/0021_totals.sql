-- What metrics tell of all integrations together, counted by one worker for all of them.
--
-- Runs with: 19
-- Operational cost: one small table.

-- One row for each shape that a release gives to what was counted, so that old and new workers run side by
-- side. Unlogged: after a crash of PostgreSQL it is counted again.
create unlogged table totals (
    shape      int primary key,
    counted_at timestamptz not null,
    numbers    jsonb not null
);
