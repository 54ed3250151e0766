-- Comments that are kept for a time only.
--
-- Runs with: 19
-- Operational cost: one index of deleted comments, made by one read of comments; writers wait meanwhile.

-- Deleted comments that have their texts still, by age: comments_by_time has those that are there.
create index comments_ended_by_time on comments (source_id, ts, id) where deleted_at is not null and not erased;
