-- name: insert*!
-- Outgoing messages, in the transaction that causes them.
insert into mts (id, mo, node, link, source, source_ton, source_npi, destination, dest_ton, dest_npi, esm_class,
    data_coding, sealed, key_id, registered, part, parts, created_ms, expires_ms, not_before_ms, status, reply, max_replies,
    service_type, priority, protocol_id, tlvs, sms, payment, charge)
values (:id, :mo, :node, :link, :source, :source_ton, :source_npi, :destination, :dest_ton, :dest_npi, :esm_class,
    :data_coding, :sealed, :key_id, :registered, :part, :parts, :created_ms, :expires_ms, :created_ms, 'queued', :reply,
    :max_replies, :service_type, :priority, :protocol_id, :tlvs, :sms, :payment, :charge);

-- name: queued
-- The next messages that wait on a link, oldest first; billed ones are sent by their attempts alone.
select id, mo, node, link, source, source_ton, source_npi, destination, dest_ton, dest_npi, esm_class, data_coding,
    sealed, key_id, registered, part, parts, created_ms, expires_ms, not_before_ms, tries, reply, max_replies,
    service_type, priority, protocol_id, tlvs, sms, payment, charge
from mts where status = 'queued' and link = :link and node = :node and charge is null and id > :after order by id limit :count;

-- name: queued_prompts
-- The next of those that go before the others.
select id, mo, node, link, source, source_ton, source_npi, destination, dest_ton, dest_npi, esm_class, data_coding,
    sealed, key_id, registered, part, parts, created_ms, expires_ms, not_before_ms, tries, reply, max_replies,
    service_type, priority, protocol_id, tlvs, sms, payment, charge
from mts where status = 'queued' and link = :link and node = :node and charge is null and priority > 0 and id > :after order by id limit :count;

-- name: retry*!
-- Try again later.
update mts set not_before_ms = :not_before_ms, tries = :tries, command_status = :command_status
where id = :id and status = 'queued';

-- name: walk
-- The next queued messages of all links and nodes, and whether their node is on the list of the living.
select link, id, node, expires_ms, case when exists (select 1 from nodes where nodes.id = mts.node) then 1 else 0 end
from mts where status = 'queued' and charge is null and (link, id) > (:link, :after) order by link, id limit :count;

-- name: expire*!
-- The validity of a message that nobody sends is over.
update mts set status = 'expired', answered_ms = :now_ms where id = :id and status = 'queued';

-- name: claim_each*!
-- A node takes over a message whose own node is not on the list of the living.
update mts set node = :node where id = :id and status = 'queued' and node = :from_node
    and not exists (select 1 from nodes where nodes.id = :from_node);

-- name: any
-- Whether there are messages at all: their texts are sealed under the key.
select id from mts limit 1;

-- name: of_mo
-- The answers to a message, in their order.
select id, mo, link, source, source_ton, source_npi, destination, dest_ton, dest_npi, registered, part, parts, created_ms,
    expires_ms, tries, status, command_status, answered_ms
from mts where mo = :mo and reply is not null order by reply;

-- name: of_again
-- The latest answers to the messages that asked for a code again.
select id, mo, link, source, source_ton, source_npi, destination, dest_ton, dest_npi, registered, part, parts, created_ms,
    expires_ms, tries, status, command_status, answered_ms
from mts where mo in (select mo from told_again where code = :code order by mo desc limit :count) and reply is not null
order by id;

-- name: end_billed*!
-- A billed message whose attempt was settled by something else than its answer.
update mts set status = :status where id = :id and status in ('queued', 'intent', 'accepted', 'unknown');

-- name: of_payment
-- The messages about a payment.
select id, mo, link, source, source_ton, source_npi, destination, dest_ton, dest_npi, registered, part, parts, created_ms,
    expires_ms, tries, status, command_status, answered_ms
from mts where payment = :payment order by id;

-- name: name_billed*!
-- The SMSC's name of a billed message that something else had settled before: its receipt may still show money.
update mts set message_id = :message_id, smsc_message_id = :smsc_message_id
where id = :id and charge is not null and message_id is null;
