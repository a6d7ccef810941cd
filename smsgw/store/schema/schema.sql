-- The bookkeeping of migrations, which has to work before there is any migration.

-- name: create!
-- Makes the table of migrations in an empty database.
create table if not exists schema_migrations (
    name text not null primary key,
    sha256 text not null,
    applied_at_ms bigint not null
);

-- name: applied
-- Every migration that this database has seen, in the order of their numbers.
select name, sha256 from schema_migrations order by name;

-- name: record!
-- Remembers a migration, in the transaction that made its changes.
insert into schema_migrations (name, sha256, applied_at_ms) values (:name, :sha256, :applied_at_ms);
