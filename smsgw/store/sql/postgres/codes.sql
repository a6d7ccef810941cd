-- name: use*!
-- The uses of each code, guarded by the number of uses that the decision has seen; one row for each code.
update codes set used = used + :uses, first_used_ms = coalesce(first_used_ms, :first_used_ms)
where id = :id and used = :used;

-- name: taken
-- Which of these look-ups are in use.
select lookup from codes where lookup = any(:lookups::text[]);

-- name: find
-- The codes behind these look-ups, locked until the transaction ends, in one order so that nobody waits in a circle.
select lookup, id, service, policy, issued_ms, first_used_ms, used, revoked_ms, test from codes
where lookup = any(:lookups::text[]) order by id for update;

-- name: by_lookups
-- The codes behind these look-ups.
select id, service, mo, link, msisdn, sealed, key_id, policy, issued_ms, first_used_ms, used, revoked_ms, test
from codes where lookup = any(:lookups::text[]) order by id desc;
