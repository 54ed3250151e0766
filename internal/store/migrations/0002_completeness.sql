-- Completeness: to be filled.
select 1;
