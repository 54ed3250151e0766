-- Reading at scale: how many comments a source has, and what they can be found by.
--
-- Operational cost: counts all comments once, about a second per five million, and until that is done
-- writers of comments wait. The index of words is empty: the worker fills it from then on,
-- with the comments that are there too, about a minute of CPU per 100,000 mails of 8 KB.

-- Short enough to stand in front of each lexeme. It rewrites sources, of which there are few.
alter table sources add column number int not null generated always as identity unique;

-- ---------------------------------------------------------------- how many

-- The sum of a source's rows is the number of its comments that can be read. A transaction adds
-- rows and changes none, so that nobody waits for anybody; they are added up now and then.
create table comment_counts (
    source_id text not null references sources on delete cascade,
    comments  bigint not null
);
create index comment_counts_by_source on comment_counts (source_id);

insert into comment_counts (source_id, comments)
select source_id, count(*) from comments where deleted_at is null and not erased group by source_id;

-- The database counts by itself, whoever writes. Comments are never removed but with their source.
create function count_new_comments() returns trigger language plpgsql as $$
begin
    insert into comment_counts (source_id, comments)
    select source_id, count(*) from added where deleted_at is null and not erased group by source_id;
    return null;
end $$;
create trigger counted after insert on comments referencing new table as added
    for each statement execute function count_new_comments();

-- ---------------------------------------------------------------- what they can be found by

-- Package words says what the lexemes are. Filled behind the comments, in the order of comments_by_change.
create table comment_words (
    source_id  text not null references sources on delete cascade,
    comment_id text not null,
    ts         timestamptz not null,
    words      tsvector not null,
    primary key (source_id, comment_id)
);
alter table comment_words alter column words set compression lz4;
-- Common words are to be told from rare ones by what the planner knows of them.
alter table comment_words alter column words set statistics 500;
create index comment_words_words on comment_words using gin (words);

-- How far the index of words has come with a source: everything up to this change is in it. In another
-- life of the database transactions have other numbers, and the index begins anew.
create table word_cursors (
    source_id text primary key references sources on delete cascade,
    life      text not null default '',
    changed   xid8 not null default '0',
    id        text not null default ''
);

-- A comment that goes or comes back counts at once. Its words go with it: nobody finds what was deleted or
-- erased, whether the follower runs or not.
create function count_changed_comment() returns trigger language plpgsql as $$
begin
    if new.deleted_at is null and not new.erased then
        insert into comment_counts (source_id, comments) values (new.source_id, 1);
    else
        insert into comment_counts (source_id, comments) values (new.source_id, -1);
        delete from comment_words where source_id = new.source_id and comment_id = new.id;
    end if;
    return null;
end $$;
create trigger recounted after update on comments for each row
    when ((old.deleted_at is null and not old.erased) <> (new.deleted_at is null and not new.erased))
    execute function count_changed_comment();
