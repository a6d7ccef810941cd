-- name: beat!
-- A node says that it still lives.
insert into nodes (id, started_ms, seen_ms) values (:node, :now_ms, :now_ms)
on conflict (id) do update set seen_ms = excluded.seen_ms;

-- name: others
-- The other nodes, and the latest sign of life of each.
select id, seen_ms from nodes where id <> :node;

-- name: bury!
-- Takes a silent node off the list; of several who try, one changes a row.
delete from nodes where id = :node and seen_ms = :seen_ms;

-- name: tell_keys!
-- Which keys of the vault a node has read.
update nodes set keys = :keys where id = :node;

-- name: keys
-- Which keys of the vault the nodes have read that were heard of since a moment.
select id, keys from nodes where seen_ms >= :since_ms order by id;
