-- name: insert*!
-- Delivery receipts as they came.
insert into receipts (id, link, session, received_ms, message_id, state, payload, tlvs, mt)
values (:id, :link, :session, :received_ms, :message_id, :state, :payload, :tlvs, :mt);

-- name: match*!
-- A receipt has found its message.
update receipts set mt = :mt where id = :id and mt is null;

-- name: deliver*!
-- A receipt moves a message to a final state, from the only one that allows it (domain/messages.py).
update mts set status = :status where id = :mt and status = 'accepted';
