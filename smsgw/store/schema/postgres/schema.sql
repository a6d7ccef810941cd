-- name: exists$
-- Whether there is a table of migrations.
select count(*) from pg_tables where schemaname = current_schema() and tablename = 'schema_migrations';

-- name: lock
-- Lets one migrator at a time through, until the end of its transaction; the number is smsgw's own.
select 1 from pg_advisory_xact_lock(7396172649);
