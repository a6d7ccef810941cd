-- name: insert*!
-- Who did what.
insert into audit (id, at_ms, actor, action, subject, detail)
values (:id, :at_ms, :actor, :action, :subject, :detail);
