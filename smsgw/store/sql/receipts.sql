-- name: insert*!
-- Delivery receipts as they came.
insert into receipts (id, link, session, received_ms, message_id, state, error, done_ms, event, payload, tlvs, mt)
values (:id, :link, :session, :received_ms, :message_id, :state, :error, :done_ms, :event, :payload, :tlvs, :mt);

-- name: forget_unmatched!
-- Receipts that nobody has claimed for too long, the oldest first.
delete from receipts where mt is null and id in (
    select id from receipts where mt is null and received_ms < :before_ms order by received_ms limit :count);

-- name: match*!
-- A receipt has found its message.
update receipts set mt = :mt where id = :id and mt is null;

-- name: deliver*!
-- A receipt moves a message to a final state, from one that allows it (domain/messages.py).
update mts set status = :status where id = :mt
    and (status = 'accepted' or (status in ('intent', 'unknown') and charge is not null));
