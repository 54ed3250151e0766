-- Programs of the release before go on while a release is rolled out: each step says since which
-- schema version programs run with it.
--
-- Runs with: 19
-- Operational cost: one column on a table of twenty rows; nobody waits.

alter table schema_migrations
    add column runs_with int,   -- null: programs of the step's own version only
    add check (runs_with between 1 and version);
