-- name: settle*!
-- The SMSC's answer, or the end of the validity: a queued message is accepted, refused or expired.
update mts set status = :status, command_status = :command_status, message_id = :message_id,
    answered_ms = :answered_ms, tries = :tries, smsc_message_id = :smsc_message_id
where id = :id and status = 'queued';

-- name: claim!
-- A node takes over what another left for links that both have.
update mts set node = :node where status = 'queued' and node = :from_node and link = any(:links::text[]);

-- name: by_ids
-- Some messages, in the order of their making.
select id, mo, link, source, source_ton, source_npi, destination, dest_ton, dest_npi, registered, part, parts, created_ms,
    expires_ms, tries, status, command_status, answered_ms
from mts where id = any(:ids::text[]) order by id;

-- name: settle_billed*!
-- What came of a billed message: it may be unknown, go back to the queue, and be answered late.
update mts set status = :status, command_status = :command_status, message_id = coalesce(:message_id, message_id),
    answered_ms = :answered_ms, tries = :tries, smsc_message_id = coalesce(:smsc_message_id, smsc_message_id),
    not_before_ms = :not_before_ms
where id = :id and charge is not null and status in ('queued', 'intent', 'unknown');

-- name: intend
-- Billed messages that are about to be sent; whoever changes a row sends it.
update mts set status = 'intent', expires_ms = :expires_ms
where id = any(:ids::text[]) and status = 'queued' and node = :node returning id;

-- name: billed
-- Billed messages that wait.
select id, mo, node, link, source, source_ton, source_npi, destination, dest_ton, dest_npi, esm_class, data_coding,
    sealed, key_id, registered, part, parts, created_ms, expires_ms, not_before_ms, tries, reply, max_replies,
    service_type, priority, protocol_id, tlvs, sms, payment, charge
from mts where id = any(:ids::text[]) and status = 'queued' and charge is not null order by id;
