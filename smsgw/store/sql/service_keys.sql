-- name: insert*!
-- New keys.
insert into service_keys (id, service, purpose, sealed, key_id, created_ms, from_ms)
values (:id, :service, :purpose, :sealed, :key_id, :created_ms, :from_ms);

-- name: live
-- Keys for a purpose that are in use, or will be.
select id, service, sealed, key_id, created_ms, from_ms, revoked_ms from service_keys
where purpose = :purpose and (revoked_ms is null or revoked_ms > :now_ms) order by id;

-- name: revoke!
-- Takes a key out of use, from a moment on; never later than was said before.
update service_keys set revoked_ms = :at_ms where id = :id and (revoked_ms is null or revoked_ms > :at_ms);
