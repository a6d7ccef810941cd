-- name: lock
-- Keys are made one after the other: SQLite has one writer.
select 1 where :name is null;
