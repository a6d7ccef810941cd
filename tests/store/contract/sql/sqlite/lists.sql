-- name: sizes
-- The things of these sizes.
select id from things where size in (select value from json_each(:sizes)) order by id;

-- name: ids
-- The things with these ids.
select id from things where id in (select value from json_each(:ids)) order by id;

-- name: endless
-- Takes longer than anybody waits.
with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n;
