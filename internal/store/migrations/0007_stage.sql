-- What the speed of a large load needs of staging and merging.
--
-- Operational cost: changes how new rows of the staging table are kept and takes three
-- constraints away; reads and rewrites nothing. Short exclusive locks on staged, records, comments,
-- ledger and sources: whoever is at work on them is waited for, and new work waits as
-- long. Milliseconds on a live system.

-- ---------------------------------------------------------------- staging

-- Cleaned rows live for seconds and are in no log: compressing them costs more than their
-- room. A text is compressed once, on its way into revisions, and then by lz4.
alter table staged set (toast_tuple_target = 8160);
alter table staged alter column texts set compression lz4;

-- ---------------------------------------------------------------- sources

-- PostgreSQL checks a reference row by row, with a query for each: for a new mail the same
-- source was looked up and locked three times. Upsert locks it once per batch instead
-- (for key share, as the reference did), and what belongs to a source goes with it by a trigger.
lock table comments, records, ledger, sources in access exclusive mode;
alter table comments drop constraint comments_source_id_fkey;
alter table records drop constraint records_source_id_fkey;
alter table ledger drop constraint ledger_source_id_fkey;

create function forget_source() returns trigger language plpgsql as $$
begin
    delete from records where source_id = old.id;
    delete from ledger where source_id = old.id;
    delete from comments where source_id = old.id;   -- revisions go with them
    return old;
end $$;
create trigger forget after delete on sources for each row execute function forget_source();
