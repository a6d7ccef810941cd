-- name: insert*!
-- New codes.
insert into codes (id, service, mo, link, msisdn, lookup, sealed, key_id, policy, issued_ms)
values (:id, :service, :mo, :link, :msisdn, :lookup, :sealed, :key_id, :policy, :issued_ms);

-- name: use*!
-- One use, guarded by the number of uses that the decision has seen.
update codes set used = used + 1, first_used_ms = coalesce(first_used_ms, :first_used_ms)
where id = :id and used = :used;

-- name: attempt*!
-- Somebody tried a code.
insert into attempts (id, service, code, at_ms, visitor, outcome)
values (:id, :service, :code, :at_ms, :visitor, :outcome);

-- name: any
-- Whether there are codes at all.
select id from codes limit 1;
