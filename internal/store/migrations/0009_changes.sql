-- The order in which comments changed, for whoever follows them: a change feed, an index
-- of words, a delivery to another place.
--
-- Operational cost: a column with a constant default, which rewrites nothing, and one index over
-- comments, about a second per 300,000; writers wait for it.

-- The transaction that last changed a comment in any way, its end included; 0 = before this was
-- noted. Who reads up to the oldest transaction that is still open (pg_snapshot_xmin) has seen all
-- there will ever be up to there: no change can turn up behind such a place, however long its
-- transaction took. A time, or a number of a sequence, would not promise that.
alter table comments add column changed xid8 not null default '0';
alter table comments alter column changed set default pg_current_xact_id();

create index comments_by_change on comments (source_id, changed, id);

-- An update that forgets to say so would be missed by everybody who follows.
create function refuse_unnoted_change() returns trigger language plpgsql as $$
begin
    raise exception 'a comment was changed without noting it: set changed = pg_current_xact_id()';
end $$;
create trigger noted before update on comments for each row
    when (new.changed <> pg_current_xact_id()) execute function refuse_unnoted_change();
