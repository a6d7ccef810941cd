-- name: insert*!
-- New codes.
insert into codes (id, service, mo, link, msisdn, lookup, sealed, key_id, policy, issued_ms, test)
values (:id, :service, :mo, :link, :msisdn, :lookup, :sealed, :key_id, :policy, :issued_ms, :test);

-- name: latest
-- A phone's codes of a service, the latest first.
select id, sealed, key_id, again_day, again_count, policy, issued_ms, first_used_ms, used from codes
where msisdn = :msisdn and service = :service and revoked_ms is null order by id desc limit 20;

-- name: told_again*!
-- How often a code was told again in a day.
update codes set again_day = :day, again_count = :count where id = :id;

-- name: telling*!
-- A message that asked for a code again is answered with it.
insert into told_again (code, mo) values (:code, :mo);

-- name: any
-- Whether there are codes at all.
select id from codes limit 1;

-- name: by_id
-- One code.
select id, service, mo, link, msisdn, sealed, key_id, policy, issued_ms, first_used_ms, used, revoked_ms, test
from codes where id = :id;

-- name: of_phone
-- A phone's codes of a service, of one kind or of both, the latest first.
select id, service, mo, link, msisdn, sealed, key_id, policy, issued_ms, first_used_ms, used, revoked_ms, test
from codes where msisdn = :msisdn and service = :service and test in (:test, :or_test) and id < :before
order by id desc limit :count;

-- name: revoke!
-- A code is good for nothing any more.
update codes set revoked_ms = :now_ms where id = :id and revoked_ms is null;

-- name: amend!
-- A code's own conditions change, if they are still the ones that the decision has seen.
update codes set policy = :policy where id = :id and policy = :before and revoked_ms is null;

-- name: reissue!
-- A code that this message bought is made anew, if that was not done too often in this day.
insert into reissues (mo, day, count) values (:mo, :day, 1)
on conflict (mo, day) do update set count = reissues.count + 1 where reissues.count < :most;

-- name: forget_reissues!
-- Days that count no more.
delete from reissues where day < :before_day;
