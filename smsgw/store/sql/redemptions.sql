-- name: answer*!
-- The answer to a request that carries an Idempotency-Key.
insert into idempotency (caller, key, request, key_id, answer, at_ms)
values (:caller, :key, :request, :key_id, :answer, :at_ms);

-- name: handle*!
-- A return token that is a handle.
insert into handles (hash, service, claims, expires_ms) values (:hash, :service, :claims, :expires_ms);

-- name: by_hash
-- What a handle stands for.
select service, claims from handles where hash = :hash;

-- name: spend!
-- A handle is exchanged, once and in time.
update handles set spent_ms = :now_ms where hash = :hash and spent_ms is null and expires_ms > :now_ms;

-- name: forget_answers!
-- Answers that nobody asks for again.
delete from idempotency where at_ms < :before_ms;

-- name: forget_handles!
-- Handles that are too old.
delete from handles where expires_ms < :before_ms;
