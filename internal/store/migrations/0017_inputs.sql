-- Texts that were made of mails which a client sent: the same mail sent again costs nothing,
-- whatever a later cleaning makes of it.
--
-- Operational cost: a column without a default, which rewrites nothing; milliseconds.

-- The digest of what the text was made of; null is a text that came as it is, or was made of a
-- record, whose own digests say that.
alter table revisions add column inputs bytea;
