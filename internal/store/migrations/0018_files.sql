-- The files of integrations, each version that was in force, with who made it so.
--
-- Operational cost: one small table, with a row for each integration.

-- Without secrets, as integrations.spec. They go with the integration; what the audit log keeps beyond
-- that has no values.
create table integration_files (
    integration_id text not null references integrations on delete cascade,
    version        bigint not null,
    spec           jsonb not null,
    secret_changed boolean not null default false, -- the consumer secret was replaced or forgotten
    token_changed  boolean not null default false, -- the token of the destination was replaced
    at             timestamptz not null default now(),
    actor          text not null,                  -- as in audit_events
    actor_name     text not null default '',
    primary key (integration_id, version)
);

insert into integration_files (integration_id, version, spec, at, actor)
select id, spec_version, spec, updated_at, 'system' from integrations;
