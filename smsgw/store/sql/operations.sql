-- name: insert*!
-- Questions that wait to be asked.
insert into operations (id, link, mt, kind, sealed, key_id, created_ms, until_ms, actor)
values (:id, :link, :mt, :kind, :sealed, :key_id, :created_ms, :until_ms, :actor);

-- name: waiting
-- The next questions of a link, the oldest first, with what names their message to the SMSC.
select operations.id, operations.link, operations.mt, kind, operations.sealed, operations.key_id,
    operations.until_ms, coalesce(mts.smsc_message_id, mts.message_id, ''), mts.source, mts.source_ton, mts.source_npi,
    mts.destination, mts.dest_ton, mts.dest_npi, mts.status
from operations join mts on mts.id = operations.mt
where operations.status = 'waiting' and operations.link = :link order by operations.id limit :count;

-- name: take!
-- A node asks; of several who try, one changes a row.
update operations set status = 'asked' where id = :id and status = 'waiting';

-- name: settle!
-- What came of it; an answer that the store could not take for long counts though the question was given up meanwhile.
update operations set status = :status, result = :result where id = :id and status <> 'done';

-- name: abandon!
-- Questions that somebody took, and died before the answer was written down.
update operations set status = 'failed', result = :result where status = 'asked' and link = :link and until_ms < :before_ms;

-- name: by_id
-- One question.
select id, link, mt, kind, created_ms, until_ms, actor, status, result from operations where id = :id;

-- name: of_mt
-- What was asked about a message, the first first.
select id, link, mt, kind, created_ms, until_ms, actor, status, result from operations where mt = :mt order by id;

-- name: message
-- A message, as far as it takes to ask about it.
select id, link, status, data_coding, parts, coalesce(smsc_message_id, message_id, '') from mts where id = :mt;

-- name: unreported
-- Accepted messages that wait for a receipt for too long, and were not asked about so often yet; the oldest first.
select id from mts
where link = :link and status = 'accepted' and registered <> 0 and message_id is not null and answered_ms <= :before_ms and answered_ms > :after_ms
    and (select count(*) from operations where operations.mt = mts.id and kind = 'query') < :most
    and not exists (select 1 from operations where operations.mt = mts.id and created_ms > :before_ms)
order by answered_ms limit :count;

-- name: forget!
-- Questions that were settled long ago.
delete from operations where id in (select id from operations where id < :before order by id limit :count);

-- name: alert*!
-- A subscriber can be reached again.
insert into alerts (id, link, received_ms, source, esme, ms_availability)
values (:id, :link, :received_ms, :source, :esme, :ms_availability);

-- name: forget_alerts!
-- Alerts that are of no use any more.
delete from alerts where id in (select id from alerts where received_ms < :before_ms order by received_ms limit :count);
