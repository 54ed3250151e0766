-- The org's API requests: what we made of them ourselves, what Salesforce said of
-- them, and how often each integration may look because of it.
--
-- Operational cost: three empty tables, and an index on connections, which has one row
-- per integration: milliseconds. The reference to integrations and the index wait for
-- writers of integrations and connections and hold up new ones for as long.

-- One row per org, shared by its integrations and by all processes. It outlives the
-- integrations: calls that were made stay made.
create table quota_orgs (
    org_id      text collate "C" primary key,    -- 18 characters
    org_used    bigint,                          -- requests of the whole org in its rolling day, as Salesforce said
    org_max     bigint,
    app_used    bigint,                          -- the same of our app, where the org gives it an allowance
    app_max     bigint,
    told_at     timestamptz,
    probed_at   timestamptz,                     -- last time the org was asked for its limits alone
    check ((told_at is null) = (org_max is null))
) with (fillfactor = 50);                        -- written before each call: leave room to do it in place

-- Our own calls, in buckets of ten minutes: counted before they are made.
create table quota_calls (
    org_id      text collate "C" not null,
    bucket      timestamptz not null,            -- its beginning
    calls       bigint not null check (calls > 0),
    primary key (org_id, bucket)
) with (fillfactor = 50);

-- How often an integration may look, and why not as often as its file wants.
create table quota_paces (
    integration_id text primary key references integrations on delete cascade,
    wanted      interval not null,               -- the file's poll_interval
    paced       interval not null check (paced >= wanted),
    calls       double precision not null check (calls >= 0),   -- calls of one look, on average
    spent       double precision not null check (spent >= 0),   -- the same with the reading of what was found
    reason      text not null default '',        -- '' = as often as wanted
    paced_at    timestamptz not null
);

create index connections_org on connections (org_id);
