-- What clients write: comments with attachments and a format, sources and projects that are
-- made, changed and deleted.
--
-- Operational cost: columns without a default or with a constant one, which rewrite nothing; two
-- CHECKs of sources and projects swapped (a read of each, and they are small). Milliseconds.

-- What a comment has besides its messages: '' is plain text; null is no attachments.
alter table comments
    add column text_format text not null default '',
    add column attachments jsonb;

-- The tag is kept and shown; cleaning has one way here.
alter table sources
    add column email_transform_tag text check (length(email_transform_tag) between 1 and 128),
    add column deleted_at timestamptz;

alter table projects add column deleted_at timestamptz;

-- The rows of deleted ones stay, because a bill outlives what was billed. Each gives its name back
-- and takes one that nobody can ask for, with a blank and its id in it: "emails (deleted 0123456789abcdef)".
alter table sources drop constraint sources_name_check;
alter table sources add constraint sources_name_check check (
    deleted_at is not null or name ~ '^[A-Za-z0-9_-]+$' and length(name) <= 256) not valid;
alter table sources validate constraint sources_name_check;

alter table projects drop constraint projects_name_check;
alter table projects add constraint projects_name_check check (
    deleted_at is not null or name ~ '^[A-Za-z0-9._-]+$' and length(name) <= 1024) not valid;
alter table projects validate constraint projects_name_check;
