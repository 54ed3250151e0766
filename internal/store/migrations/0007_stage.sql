-- What the speed of a large load needs of staging and merging.
--
-- Operational cost: changes how new rows of the staging table are kept; rewrites nothing. A
-- short lock on that table, for which batches that are being transformed or applied are waited for. Milliseconds.

-- Cleaned rows live for seconds and are in no log: compressing them costs more than their
-- room. The text is compressed once, on its way into revisions, and there by lz4.
alter table staged set (toast_tuple_target = 8160);
alter table staged alter column texts set compression lz4;
