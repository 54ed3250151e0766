-- People who are managed on the web page: when they signed in last and from where, links with which
-- they choose a password, and a quick look into the audit log by who and what.
--
-- Operational cost: columns without a default to write and an empty table take milliseconds. Two indexes are built
-- on the audit log, seconds with a million events; what is to be written to it waits meanwhile.

alter table users add column signed_in_at timestamptz; -- null = never, or before this was kept
update users u set signed_in_at = s.at from (select user_id, max(created_at) as at from sessions group by 1) s where s.user_id = u.id;

alter table sessions add column address text not null default ''; -- that it began from

-- A one-time link with which a user chooses a password. It goes when the user is given a right: whoever made it
-- and could have kept it may not have that right themselves.
create table password_links (
    hash       bytea primary key check (length(hash) = 32),
    user_id    text not null unique references users on delete cascade, -- the newest link is the only one
    expires_at timestamptz not null
);

create index audit_events_by_type on audit_events (type, at, id);
create index audit_events_by_actor on audit_events (actor_name, at, id);
