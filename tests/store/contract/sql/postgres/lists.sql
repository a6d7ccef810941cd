-- name: sizes
-- The things of these sizes.
select id from things where size = any(:sizes::bigint[]) order by id;

-- name: ids
-- The things with these ids.
select id from things where id = any(:ids::text[]) order by id;

-- name: endless
-- Takes longer than anybody waits.
select pg_sleep(3600);
