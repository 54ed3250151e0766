-- The foundation: who may do what, what is to be synced, what was read, what it
-- became, and what it cost.
--
-- Operational cost: creates empty tables only; takes milliseconds on a new database.
--
-- Conventions: ids that the comments API shows are 16 lower-case hex digits;
-- Salesforce Ids compare bytewise (collate "C"); times are timestamptz; a state
-- is text with a CHECK, which is cheaper to extend than an enum.

-- ---------------------------------------------------------------- people

create table projects (
    id          text primary key check (id ~ '^[0-9a-f]{16}$'),
    name        text not null unique check (name ~ '^[A-Za-z0-9._-]+$' and length(name) <= 1024),
    title       text not null default '',
    description text not null default '',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);

create table users (
    id            text primary key check (id ~ '^[0-9a-f]{16}$'),
    email         text not null unique check (email = lower(email) and email like '%_@_%'),
    username      text not null,
    password_hash text,                       -- argon2id, PHC string; null = cannot sign in with a password
    created_at    timestamptz not null default now(),
    disabled_at   timestamptz
);

-- A permission on one project, or on every project (project_id null), present and future.
create table user_permissions (
    user_id    text not null references users on delete cascade,
    project_id text references projects on delete cascade,
    permission text not null check (permission ~ '^[a-z-]{1,64}$'),
    unique nulls not distinct (user_id, project_id, permission)
);

-- Bearer tokens and browser sessions are kept as SHA-256 of 256 random bits:
-- nothing to guess, nothing to use if the table leaks.
create table api_tokens (
    id           uuid primary key,
    user_id      text not null references users on delete cascade,
    name         text not null check (length(name) between 1 and 128),
    hash         bytea not null unique check (length(hash) = 32),
    created_at   timestamptz not null default now(),
    last_used_at timestamptz,
    expires_at   timestamptz,
    revoked_at   timestamptz
);

create table sessions (
    hash         bytea primary key check (length(hash) = 32),
    user_id      text not null references users on delete cascade,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null
);
create index sessions_expiry on sessions (expires_at);

-- A message shown once to one browser (after OAuth, for example), signed in or not.
create table notices (
    hash       bytea primary key check (length(hash) = 32),
    level      text not null check (level in ('success', 'error')),
    message    text not null,
    expires_at timestamptz not null
);

-- ---------------------------------------------------------------- what is to be synced

create table sources (
    id                   text primary key check (id ~ '^[0-9a-f]{16}$'),
    project_id           text not null references projects on delete cascade,
    name                 text not null check (name ~ '^[A-Za-z0-9_-]+$' and length(name) <= 256),
    title                text not null default '' check (length(title) <= 128),
    description          text not null default '' check (length(description) <= 16384),
    language             text not null default 'xlm',
    should_translate     boolean not null default false,
    sensitive_properties text[] not null default '{}',
    kind                 text not null default 'unknown',
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now(),
    unique (project_id, name)
);

create table integrations (
    id              text primary key check (id ~ '^[0-9a-f]{16}$'),
    project_id      text not null references projects on delete cascade,
    name            text not null check (name ~ '^[A-Za-z0-9_-]+$' and length(name) <= 256),
    source_id       text not null unique references sources,   -- one integration feeds a source
    spec            jsonb not null,              -- the integration file without its secrets
    spec_version    bigint not null default 1,   -- + 1 at every apply that changes the file
    checked_version bigint,                      -- the version last checked against describe
    checked_at      timestamptz,
    -- What an operator wants. Watch reads this row before each Salesforce call.
    desired         text not null default 'running' check (desired in ('running', 'paused', 'disconnected', 'deleted')),
    epoch           bigint not null default 1,   -- + 1 fences every batch begun before
    sync_requests   bigint not null default 0,   -- + 1 asks for a poll now
    -- What is so, for people.
    status          text not null default 'awaiting_authorization' check (status in ('awaiting_authorization', 'syncing', 'idle',
                        'backing_off', 'quota_wait', 'paused', 'config_invalid', 'disconnected')),
    status_reason   text not null default '',
    status_hint     text not null default '',
    status_since    timestamptz not null default now(),
    status_until    timestamptz,                 -- when it goes on by itself
    watched_at      timestamptz,                 -- last time Salesforce was asked for news
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    unique (project_id, name)
);

create table objects (
    integration_id text not null references integrations on delete cascade,
    name           text not null,                -- Salesforce API name, canonical after a check
    position       int not null,
    spec           jsonb not null,
    state          text not null default 'unchecked' check (state in ('unchecked', 'ok', 'config_invalid')),
    problem        text not null default '',
    hint           text not null default '',
    plan           jsonb,                        -- fields with types, relations, cursor; made by the check
    -- The object's own trouble while others go on.
    fault_kind     text not null default '',
    fault_message  text not null default '',
    fault_hint     text not null default '',
    fault_since    timestamptz,
    retry_at       timestamptz,
    primary key (integration_id, name),
    check (state <> 'ok' or plan is not null)
);

-- ---------------------------------------------------------------- access to Salesforce

create table connections (
    integration_id        text primary key references integrations on delete cascade,
    instance_url          text not null,         -- as configured; the granted one is token_instance_url
    login_url             text not null,
    consumer_key          text not null,
    consumer_secret       text not null default '',   -- sealed
    state                 text not null default 'none' check (state in ('none', 'granted', 'lost', 'disconnected')),
    lost_reason           text not null default '',
    lost_hint             text not null default '',
    org_id                text collate "C",      -- 18 characters; a grant is bound to org and user
    user_id               text collate "C",
    username              text not null default '',
    access_token          text not null default '',   -- sealed
    refresh_token         text not null default '',   -- sealed
    token_instance_url    text not null default '',
    generation            bigint not null default 0,  -- + 1 at every grant and refresh
    granted_at            timestamptz,
    refreshed_at          timestamptz,
    refresh_started_at    timestamptz,           -- set before Salesforce is asked, cleared with the answer: left over = an answer was lost
    deletes_held          boolean not null default false,  -- another user was granted: no delete is applied until its rights are checked
    updated_at            timestamptz not null default now(),
    check (state <> 'granted' or (access_token <> '' and org_id is not null and user_id is not null))
);

-- One row per connection that waiters do not queue on: whoever holds it refreshes.
create table refresh_locks (
    integration_id text primary key references integrations on delete cascade
);

-- The authenticate link an operator sends to a Salesforce administrator. Spent by a grant, not by being opened.
create table connect_links (
    hash           bytea primary key check (length(hash) = 32),
    integration_id text not null references integrations on delete cascade,
    created_at     timestamptz not null default now(),
    expires_at     timestamptz not null,
    spent_at       timestamptz
);

-- One row per attempt to authorize; deleted before the code is exchanged, so it works once.
create table oauth_attempts (
    state_hash     bytea primary key check (length(state_hash) = 32),
    integration_id text not null references integrations on delete cascade,
    verifier       text not null,                -- PKCE, sealed
    browser_hash   bytea not null check (length(browser_hash) = 32),  -- the callback must come from the browser that started
    user_id        text references users on delete cascade,
    link_hash      bytea references connect_links on delete cascade,
    created_at     timestamptz not null default now(),
    expires_at     timestamptz not null,
    check (user_id is not null or link_hash is not null)
);

-- A grant by another user of the same org, kept sealed until somebody confirms it.
create table pending_grants (
    hash           bytea primary key check (length(hash) = 32),
    integration_id text not null references integrations on delete cascade,
    grant_sealed   text not null,
    username       text not null,
    user_id        text references users on delete cascade,
    link_hash      bytea references connect_links on delete cascade,
    expires_at     timestamptz not null
);

-- Signals that must reach a workflow, written with the change they tell of.
create table outbox (
    id           bigint generated always as identity primary key,
    workflow_id  text not null,
    signal       text not null,
    created_at   timestamptz not null default now(),
    attempts     int not null default 0,
    next_at      timestamptz not null default now(),
    last_error   text not null default '',
    delivered_at timestamptz,
    outcome      text check (outcome in ('delivered', 'dropped'))
);
create index outbox_waiting on outbox (next_at) where delivered_at is null;

-- ---------------------------------------------------------------- what was read

-- Read order: each read takes a number before it asks and one after it has the answer.
create sequence read_order;

-- A stream is one lane of one object. seq is the last applied batch.
create table streams (
    id             bigint generated always as identity primary key,
    integration_id text not null references integrations on delete cascade,
    object         text not null,
    lane           text not null check (lane in ('live', 'backfill', 'resync', 'sweep')),
    part           text not null default '',     -- a backfill's part; '' elsewhere
    epoch          bigint not null,
    seq            bigint not null default 0,
    hi_stamp       timestamptz,                  -- live only: the newest row applied, by (stamp, Id)
    hi_id          text collate "C",
    verify_from    timestamptz,                  -- where the first scan for late rows begins
    verified_to    timestamptz,                  -- "complete up to T": such a scan found no difference
    verify_after   timestamptz not null default now(),   -- when the next scan is due
    salesforce_rows bigint,                      -- last COUNT() asked of Salesforce
    counted_at     timestamptz,
    rows_applied   bigint not null default 0,
    applied_at     timestamptz,
    unique (integration_id, object, lane, part),
    check ((hi_stamp is null) = (hi_id is null))
);

-- A parent object on a property path: its stamp moves when the property may have.
create table dependencies (
    integration_id text not null references integrations on delete cascade,
    object         text not null,                -- the child
    path           text not null,                -- relation path from the child, e.g. Parent.Account
    parent         text not null,                -- Salesforce API name of the parent object
    hi_stamp       timestamptz not null,
    hi_id          text collate "C" not null,
    primary key (integration_id, object, path, parent)
);

-- A batch is (stream, epoch, seq), known before anything is read. The row outlives the payload as the receipt.
create table batches (
    stream_id        bigint not null references streams on delete cascade,
    epoch            bigint not null,
    seq              bigint not null check (seq > 0),
    state            text not null check (state in ('reading', 'sealed', 'transformed', 'applied')),
    attempt          int not null default 1,     -- the attempt whose chunks count
    chunks           int not null default 0,
    rows             bigint not null default 0,
    bytes            bigint not null default 0,
    checksum         bytea,
    more             boolean not null default false,
    read_begin       bigint,
    read_end         bigint,
    server_time      timestamptz,                -- Salesforce's Date when the read began
    to_stamp         timestamptz,                -- where the live cursor goes when this is applied
    to_id            text collate "C",
    rechecked        text[] not null default '{}',  -- Ids asked for by name; answered when this is applied
    cleaning_version int,
    created          bigint not null default 0,
    text_changed     bigint not null default 0,
    metadata_changed bigint not null default 0,
    unchanged        bigint not null default 0,
    stale            bigint not null default 0,
    set_aside        bigint not null default 0,
    deleted          bigint not null default 0,
    units            bigint not null default 0,
    begun_at         timestamptz not null default now(),
    applied_at       timestamptz,
    primary key (stream_id, epoch, seq),
    check (state = 'reading' or (checksum is not null and read_begin is not null and read_end is not null and read_begin < read_end)),
    check (state <> 'applied' or rows = created + text_changed + metadata_changed + unchanged + stale + set_aside + deleted),
    check (state <> 'applied' or units = created + text_changed),   -- the bill is the counts
    check ((to_stamp is null) = (to_id is null))
);

-- Records as Salesforce gave them, JSON lines, zstd. Written once; kept as the raw copy.
create table raw_chunks (
    stream_id bigint not null,
    epoch     bigint not null,
    seq       bigint not null,
    attempt   int not null,
    chunk     int not null,
    rows      int not null,
    bytes     int not null,                      -- before compression
    payload   bytea not null,
    primary key (stream_id, epoch, seq, attempt, chunk),
    foreign key (stream_id, epoch, seq) references batches on delete cascade
);
alter table raw_chunks alter column payload set storage external;   -- compressed already

-- Cleaned rows between Transform and Upsert. Unlogged: after a crash of PostgreSQL they are gone and Transform runs again.
create unlogged table staged (
    stream_id    bigint not null,
    epoch        bigint not null,
    seq          bigint not null,
    record_id    text collate "C" not null,
    stamp        timestamptz not null,
    record_digest bytea not null,
    text_digest  bytea not null,
    is_deleted   boolean not null default false,
    reason       text,                           -- why it cannot become a comment
    comment_id   text,
    ts           timestamptz,
    thread_id    text,
    envelope     jsonb,                          -- messages without their texts
    properties   jsonb,
    texts        jsonb,                          -- [{subject, body, signature}] per message
    text_hash    bytea,
    content_hash bytea,
    chunk        int not null,
    -- Filled by Upsert.
    outcome      text,
    revision     int,
    before_hash  bytea,
    primary key (stream_id, epoch, seq, record_id)
);

-- What we know of each Salesforce record, whatever became of it.
create table records (
    source_id     text not null references sources on delete cascade,
    object        text not null,
    record_id     text collate "C" not null,
    stamp         timestamptz not null,
    read_begin    bigint not null,
    read_end      bigint not null,
    record_digest bytea not null,
    text_digest   bytea not null,
    state         text not null check (state in ('live', 'deleted', 'erased', 'set_aside', 'filtered', 'invisible')),
    comment_id    text,
    raw_stream    bigint,                        -- where the raw copy is
    raw_epoch     bigint,
    raw_seq       bigint,
    raw_chunk     int,
    updated_at    timestamptz not null default now(),
    primary key (source_id, object, record_id),
    check (state <> 'live' or comment_id is not null)
);
create index records_tail on records (source_id, object, stamp, record_id);

-- Records to be read again by Id: late rows, changed parents, ambiguity, repairs.
create table rechecks (
    integration_id text not null references integrations on delete cascade,
    object         text not null,
    record_id      text collate "C" not null,
    reason         text not null check (reason in ('late', 'parent', 'ambiguous', 'unsettled', 'repair', 'set_aside')),
    asked          bigint not null default nextval('read_order'),  -- a read that began later answers it
    not_before     timestamptz not null default now(),
    primary key (integration_id, object, record_id)
);
create index rechecks_order on rechecks (integration_id, object, asked);

-- Records that cannot become a comment, with the reason.
create table set_aside (
    source_id text not null references sources on delete cascade,
    object    text not null,
    record_id text collate "C" not null,
    reason    text not null,
    since     timestamptz not null default now(),
    primary key (source_id, object, record_id)
);

-- ---------------------------------------------------------------- what it became, and what it cost

create table comments (
    source_id     text not null references sources on delete cascade,
    id            text not null check (length(id) between 1 and 1024),
    ts            timestamptz not null,
    thread_id     text,
    envelope      jsonb not null,
    properties    jsonb not null default '{}',
    revision      int not null check (revision > 0),    -- the text in force
    text_hash     bytea not null,
    content_hash  bytea not null,
    created_at    timestamptz not null default now(),
    last_modified timestamptz not null default now(),
    deleted_at    timestamptz,                          -- a tombstone
    erased        boolean not null default false,       -- the text is gone for good; the row is the proof
    primary key (source_id, id)
);
create index comments_by_time on comments (source_id, ts, id) where deleted_at is null;
create index comments_by_thread on comments (source_id, thread_id, ts) where deleted_at is null;

-- Every text a comment ever had; text is stored here and nowhere else.
create table revisions (
    source_id        text not null,
    comment_id       text not null,
    revision         int not null check (revision > 0),
    texts            jsonb not null,
    text_hash        bytea not null,
    cleaning_version int not null,
    created_at       timestamptz not null default now(),
    primary key (source_id, comment_id, revision),
    foreign key (source_id, comment_id) references comments on delete cascade
);
alter table revisions alter column texts set compression lz4;

-- The bill: one row is one AI unit, written in the transaction that wrote the text.
-- No reference to comments: a bill outlives what was billed.
create table ledger (
    source_id   text not null references sources on delete cascade,
    comment_id  text not null,
    revision    int not null check (revision > 0),
    reason      text not null check (reason in ('created', 'text_changed')),
    units       int not null default 1 check (units = 1),
    before_hash bytea,
    after_hash  bytea not null,
    stream_id   bigint,
    epoch       bigint,
    seq         bigint,
    at          timestamptz not null default now(),
    primary key (source_id, comment_id, revision),
    check ((reason = 'created') = (before_hash is null))
);
create index ledger_by_time on ledger (source_id, at);
