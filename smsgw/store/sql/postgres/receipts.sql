-- name: messages
-- The messages that a link's SMSC gave these ids.
select id, message_id, charge, destination from mts where link = :link and registered = 1 and message_id = any(:message_ids::text[]);

-- name: unmatched
-- Receipts that came before the response that names their message.
select id, link, message_id, event, received_ms, state, error, source, destination from receipts
where mt is null and link = :link and message_id = any(:message_ids::text[]) order by id;

-- name: lock
-- A link's receipts and responses meet one after the other: beside each other, neither would see the other's rows.
select pg_advisory_xact_lock(hashtext('receipts ' || :link::text))::text;

-- name: of_mts
-- The receipts of some messages, in the order of their coming.
select mt, received_ms, state from receipts where mt = any(:mts::text[]) order by id;
