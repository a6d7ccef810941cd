-- name: settle*!
-- The SMSC's answer, or the end of the validity: a queued message is accepted, refused or expired.
update mts set status = v.column2, command_status = v.column3, message_id = v.column4, answered_ms = v.column5,
    tries = v.column6, smsc_message_id = v.column7
from (values (:id, :status, :command_status, :message_id, :answered_ms, :tries, :smsc_message_id)) as v
where mts.id = v.column1 and mts.status = 'queued';

-- name: claim!
-- A node takes over what another left for links that both have.
update mts set node = :node where status = 'queued' and node = :from_node and link in (select value from json_each(:links));

-- name: by_ids
-- Some messages, in the order of their making.
select id, mo, link, source, source_ton, source_npi, destination, dest_ton, dest_npi, registered, part, parts, created_ms,
    expires_ms, tries, status, command_status, answered_ms
from mts where id in (select value from json_each(:ids)) order by id;

-- name: settle_billed*!
-- What came of a billed message: it may be unknown, go back to the queue, and be answered late.
update mts set status = v.column2, command_status = v.column3, message_id = coalesce(v.column4, message_id), answered_ms = v.column5,
    tries = v.column6, smsc_message_id = coalesce(v.column7, smsc_message_id), not_before_ms = v.column8
from (values (:id, :status, :command_status, :message_id, :answered_ms, :tries, :smsc_message_id, :not_before_ms)) as v
where mts.id = v.column1 and mts.charge is not null and mts.status in ('queued', 'intent', 'unknown');

-- name: intend
-- Billed messages that are about to be sent; whoever changes a row sends it.
update mts set status = 'intent', expires_ms = :expires_ms
where id in (select value from json_each(:ids)) and status = 'queued' and node = :node returning id;

-- name: billed
-- Billed messages that wait.
select id, mo, node, link, source, source_ton, source_npi, destination, dest_ton, dest_npi, esm_class, data_coding,
    sealed, key_id, registered, part, parts, created_ms, expires_ms, not_before_ms, tries, reply, max_replies,
    service_type, priority, protocol_id, tlvs, sms, payment, charge
from mts where id in (select value from json_each(:ids)) and status = 'queued' and charge is not null order by id;
