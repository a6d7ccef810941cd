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
