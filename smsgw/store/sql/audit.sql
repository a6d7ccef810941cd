-- name: insert*!
-- Who did what.
insert into audit (id, at_ms, actor, action, subject, detail)
values (:id, :at_ms, :actor, :action, :subject, :detail);

-- name: of_subject
-- What was done to something, the first first.
select id, at_ms, actor, action, subject, detail from audit where subject = :subject order by id limit 200;
