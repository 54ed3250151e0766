-- What the pages of integrations look at again and again, without counting what is not shown.
--
-- Operational cost: two small indexes, made by one read of records (about a second per million) and one of
-- the audit log; writers wait meanwhile.

-- Records that are neither comments nor gone are few, and are told apart from those that are.
create index records_apart on records (source_id, object, state) where state in ('filtered', 'invisible');

-- What was done to an integration, newest first. Requests for news may be many, and are not looked at.
create index audit_events_of_integration on audit_events ((details ->> 'integration'), at, id)
 where details ? 'integration' and type <> 'integration.sync_requested' and coalesce(details ->> 'signal', '') <> 'sync-now';
