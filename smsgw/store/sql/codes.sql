-- name: insert*!
-- New codes.
insert into codes (id, service, mo, link, msisdn, lookup, sealed, key_id, policy, issued_ms, test)
values (:id, :service, :mo, :link, :msisdn, :lookup, :sealed, :key_id, :policy, :issued_ms, :test);

-- name: use*!
-- One use, guarded by the number of uses that the decision has seen.
update codes set used = used + 1, first_used_ms = coalesce(first_used_ms, :first_used_ms)
where id = :id and used = :used;

-- name: latest
-- A phone's codes of a service, the latest first.
select id, sealed, key_id, again_day, again_count, policy, issued_ms, first_used_ms, used from codes
where msisdn = :msisdn and service = :service and revoked_ms is null order by id desc limit 20;

-- name: told_again*!
-- How often a code was told again in a day.
update codes set again_day = :day, again_count = :count where id = :id;

-- name: any
-- Whether there are codes at all.
select id from codes limit 1;
