-- name: lock
-- Keys are made one after the other: beside each other, neither would count the other's.
select pg_advisory_xact_lock(hashtextextended(:name::text, 0))::text;
