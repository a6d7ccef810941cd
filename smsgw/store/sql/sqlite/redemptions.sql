-- name: answered
-- The answers that some callers had to some keys.
select caller, key, request, key_id, answer, at_ms from idempotency
where caller in (select value from json_each(:callers)) and key in (select value from json_each(:keys));
