-- name: taken
-- Which of these look-ups are in use.
select lookup from codes where lookup in (select value from json_each(:lookups));

-- name: find
-- The codes behind these look-ups, locked until the transaction ends (SQLite has one writer anyway).
select lookup, id, service, policy, issued_ms, first_used_ms, used, revoked_ms, test from codes
where lookup in (select value from json_each(:lookups)) order by id;

-- name: by_lookups
-- The codes behind these look-ups.
select id, service, mo, link, msisdn, sealed, key_id, policy, issued_ms, first_used_ms, used, revoked_ms, test
from codes where lookup in (select value from json_each(:lookups)) order by id desc;
