-- name: codes_after
-- Codes in the order of their ids.
select id, service, sealed, key_id from codes where id > :after order by id limit :count;

-- name: code*!
-- A code under another key.
update codes set lookup = :lookup, sealed = :sealed, key_id = :key_id where id = :id and key_id = :before;

-- name: messages_under_others
-- Messages that wait to be sent, and were sealed under another key.
select id, sealed, key_id from mts where status = 'queued' and key_id <> :key_id limit :count;

-- name: message*!
-- A message under another key.
update mts set sealed = :sealed, key_id = :key_id where id = :id and key_id = :before and status = 'queued';

-- name: service_keys_under_others
-- Services' keys that were sealed under another key.
select id, sealed, key_id from service_keys where key_id <> :key_id;

-- name: service_key*!
-- A service's key under another key.
update service_keys set sealed = :sealed, key_id = :key_id where id = :id and key_id = :before;

-- name: answers_after
-- Answers to requests with an Idempotency-Key, in the order of caller and key.
select caller, key, request, key_id from idempotency
where (caller, key) > (:caller, :key) order by caller, key limit :count;

-- name: answer*!
-- What such a request was, under another key.
update idempotency set request = :request, key_id = :key_id
where caller = :caller and key = :key and key_id = :before;
