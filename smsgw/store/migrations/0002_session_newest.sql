-- newest: id of the last message that a session has brought. Between proven and newest lies all that it may leave in
-- doubt, so that nobody has to look through what other sessions have brought since.

alter table link_sessions add column newest text not null default '';

-- Sessions that are open while this runs (their daemon has died, or is stopped now) may have brought anything so far.
update link_sessions set newest = coalesce((select max(id) from mos), proven) where ended_ms is null;
