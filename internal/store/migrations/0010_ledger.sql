-- The bill in sums per day, and where each unit came from, for longer than what was billed is there.
--
-- Operational cost: three small tables, and one read of the ledger to fill them: about a second per
-- million units; batches wait meanwhile. Nothing is rewritten.

-- ---------------------------------------------------------------- what outlives

-- Sources that have cost something, by the names they had. No reference: the bill stays when the
-- source, or its project, is gone.
create table ledger_sources (
    source_id  text primary key,
    project_id text not null,
    project    text not null,
    name       text not null
);

-- Streams that units came through. A stream goes with its object, its load or its integration.
create table ledger_streams (
    stream_id   bigint primary key,
    integration text not null,                   -- its name in the source's project
    object      text not null,
    lane        text not null,
    part        text not null
);

-- ---------------------------------------------------------------- sums

-- The ledger summed up, written by the statement that writes the ledger: there is no moment at which
-- they differ. Lanes have rows of their own, so that they do not wait for each other.
create table ledger_days (
    source_id   text not null,
    day         date not null,                   -- UTC
    integration text not null,                   -- '' = written through the API
    object      text not null,
    lane        text not null,                   -- 'api', or that of the stream; '' = of a stream that was gone when this was introduced
    reason      text not null,
    units       bigint not null check (units > 0),
    primary key (source_id, day, integration, object, lane, reason)
) with (fillfactor = 50);                        -- written with each batch: leave room to do it in place

create function sum_units() returns trigger language plpgsql as $$
begin
    insert into ledger_sources (source_id, project_id, project, name)
    select s.id, p.id, p.name, s.name
      from (select distinct source_id from added) a join sources s on s.id = a.source_id join projects p on p.id = s.project_id
     where not exists (select from ledger_sources known where known.source_id = a.source_id)
     order by 1
    on conflict do nothing;
    insert into ledger_streams (stream_id, integration, object, lane, part)
    select st.id, i.name, st.object, st.lane, st.part
      from (select distinct stream_id from added) a join streams st on st.id = a.stream_id join integrations i on i.id = st.integration_id
     where not exists (select from ledger_streams known where known.stream_id = a.stream_id)
     order by 1
    on conflict do nothing;
    -- In one order, so that nobody waits for somebody who waits for him.
    insert into ledger_days as d (source_id, day, integration, object, lane, reason, units)
    select a.source_id, a.day, coalesce(st.integration, ''), coalesce(st.object, ''),
           coalesce(st.lane, case when a.stream_id is null then 'api' else '' end), a.reason, sum(a.units)
      from (select source_id, (at at time zone 'UTC')::date as day, stream_id, reason, sum(units) as units from added group by 1, 2, 3, 4) a
      left join ledger_streams st on st.stream_id = a.stream_id
     group by 1, 2, 3, 4, 5, 6 order by 1, 2, 3, 4, 5, 6
    on conflict (source_id, day, integration, object, lane, reason) do update set units = d.units + excluded.units;
    return null;
end $$;
create trigger summed after insert on ledger referencing new table as added for each statement execute function sum_units();

-- ---------------------------------------------------------------- a bill is not changed

create function refuse_other_bill() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is the bill: units are added, and never changed or taken away' using errcode = 'check_violation';
end $$;
create trigger kept before update or delete on ledger for each statement execute function refuse_other_bill();

-- What belongs to a source goes with it, but for its bill.
create or replace function forget_source() returns trigger language plpgsql as $$
begin
    delete from records where source_id = old.id;
    delete from comments where source_id = old.id;   -- revisions go with them
    return old;
end $$;

-- ---------------------------------------------------------------- what was billed before

insert into ledger_sources (source_id, project_id, project, name)
select s.id, p.id, p.name, s.name from sources s join projects p on p.id = s.project_id
 where exists (select from ledger l where l.source_id = s.id);

insert into ledger_streams (stream_id, integration, object, lane, part)
select st.id, i.name, st.object, st.lane, st.part from streams st join integrations i on i.id = st.integration_id
 where exists (select from batches b where b.stream_id = st.id and b.units > 0);

-- A stream that is gone was one of the integration that feeds the source, as far as anybody knows.
insert into ledger_days (source_id, day, integration, object, lane, reason, units)
select l.source_id, l.day, coalesce(st.integration, case when l.stream_id is null then '' else i.name end, ''), coalesce(st.object, ''),
       coalesce(st.lane, case when l.stream_id is null then 'api' else '' end), l.reason, sum(l.units)
  from (select source_id, (at at time zone 'UTC')::date as day, stream_id, reason, sum(units) as units from ledger group by 1, 2, 3, 4) l
  left join ledger_streams st on st.stream_id = l.stream_id
  left join integrations i on i.source_id = l.source_id
 group by 1, 2, 3, 4, 5, 6;
