-- name: insert*!
-- Delivery receipts as they came.
insert into receipts (id, link, session, received_ms, message_id, state, error, done_ms, event, payload, tlvs, mt,
    source, destination, reference)
values (:id, :link, :session, :received_ms, :message_id, :state, :error, :done_ms, :event, :payload, :tlvs, :mt, :source,
    :destination, :reference);

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
    and (status = 'accepted' or (status in ('queued', 'intent', 'unknown') and charge is not null));

-- name: of_addresses
-- Receipts that nobody has claimed, from a moment on, between a phone and an address, whichever is named first.
select id, message_id, state, error, event, reference from receipts
where mt is null and received_ms >= :since_ms and link = :link
    and ((source = :phone and destination = :address) or (source = :address and destination = :phone))
order by id;
