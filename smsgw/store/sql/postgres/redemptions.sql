-- name: answered
-- The answers that some callers had to some keys.
select caller, key, request, key_id, answer, at_ms from idempotency
where caller = any(:callers::text[]) and key = any(:keys::text[]);
