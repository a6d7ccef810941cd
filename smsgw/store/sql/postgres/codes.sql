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
