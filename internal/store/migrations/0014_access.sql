-- Who may do what: roles beside single permissions, API tokens that may do less than their
-- users, sessions whose secret changes, and sign-in at an identity provider.
--
-- Operational cost: three small empty tables and columns with constant defaults, which rewrite
-- nothing. The grants of administrators made by earlier releases become one role. Milliseconds.

-- A role on one project, or on every project (project_id null), present and future. What it
-- brings is written in the program, so that a release that knows a new permission gives it along.
create table user_roles (
    user_id    text not null references users on delete cascade,
    project_id text references projects on delete cascade,
    role       text not null check (role ~ '^[a-z-]{1,64}$'),
    unique nulls not distinct (user_id, project_id, role)
);

-- The first administrator was given every permission there was, one by one.
insert into user_roles (user_id, role)
select user_id, 'administrator' from user_permissions where project_id is null and permission = 'tenant-admin';
delete from user_permissions p using user_roles r where p.user_id = r.user_id and p.project_id is null;

-- What a scoped token may do at most. A token that is scoped and has no row any more, because the
-- project is gone, may do nothing.
alter table api_tokens add column scoped boolean not null default false;
create table api_token_scopes (
    token_id   uuid not null references api_tokens on delete cascade,
    project_id text references projects on delete cascade,
    permission text not null check (permission ~ '^[a-z-]{1,64}$'),
    unique nulls not distinct (token_id, project_id, permission)
);

-- A session's secret is replaced from time to time: the next one is offered to the browser and
-- takes over when the browser first shows it, and the one before is good for a moment longer,
-- for what was asked at the same time. An answer that got lost so signs nobody out.
alter table sessions add column next_hash      bytea unique check (length(next_hash) = 32);
alter table sessions add column next_at        timestamptz;
alter table sessions add column previous_hash  bytea check (length(previous_hash) = 32);
alter table sessions add column previous_until timestamptz;
alter table sessions add column rotated_at     timestamptz not null default now();
create index sessions_previous on sessions (previous_hash) where previous_hash is not null;
create index sessions_user on sessions (user_id);

-- Who a user is at an identity provider. An address may be given to somebody else there one day;
-- the subject is not.
create table user_identities (
    issuer     text not null,
    subject    text not null,
    user_id    text not null references users on delete cascade,
    created_at timestamptz not null default now(),
    primary key (issuer, subject),
    unique (user_id, issuer)
);

-- Sign-ins that are under way at an identity provider, one browser's each, good for one answer.
create table sign_ins (
    state_hash   bytea primary key check (length(state_hash) = 32),
    browser_hash bytea not null check (length(browser_hash) = 32),
    next         text not null,   -- where the browser goes on to
    expires_at   timestamptz not null
);
create index sign_ins_expiry on sign_ins (expires_at);
