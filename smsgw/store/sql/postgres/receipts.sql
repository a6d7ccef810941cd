-- name: messages
-- The messages that a link's SMSC gave these ids.
select id, message_id from mts where link = :link and registered = 1 and message_id = any(:message_ids::text[]);

-- name: unmatched
-- Receipts that came before the response that names their message.
select id, link, message_id, state from receipts
where mt is null and link = :link and message_id = any(:message_ids::text[]) order by id;
