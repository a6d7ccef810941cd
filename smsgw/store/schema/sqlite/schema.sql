-- name: exists$
-- Whether there is a table of migrations.
select count(*) from sqlite_master where type = 'table' and name = 'schema_migrations';

-- name: lock
-- Lets one migrator at a time through; BEGIN IMMEDIATE has done so already.
select 1;
