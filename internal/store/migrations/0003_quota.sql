-- To be filled.
select 1;
