-- name: seen!
-- A node says that it lives; made at its first start.
insert into nodes (id, started_ms, seen_ms) values (:node, :now_ms, :now_ms)
on conflict (id) do update set started_ms = excluded.started_ms, seen_ms = excluded.seen_ms;

-- name: start!
-- A bind that can receive has begun.
insert into link_sessions (id, link, node, bound_ms, proven, newest)
values (:id, :link, :node, :bound_ms, :proven, :proven)
on conflict (id) do nothing;

-- name: prove*!
-- Acknowledgements up to `proven` have provably reached the SMSC, messages up to `newest` have come; both only move
-- forward. A session that goes on although another node has ended it is open again, so that what it leaves in doubt is
-- not forgotten.
update link_sessions set proven = case when proven < :proven then :proven else proven end,
    newest = case when newest < :newest then :newest else newest end, ended_ms = null
where id = :session and (proven < :proven or newest < :newest or ended_ms is not null);

-- name: end!
-- A session is over.
update link_sessions set ended_ms = :now_ms where id = :session and ended_ms is null;

-- name: open
-- The sessions that a node left open when it died.
select id, link from link_sessions where node = :node and ended_ms is null;
