-- name: use*!
-- The uses of each code, guarded by the number of uses that the decision has seen; one row for each code.
update codes set used = codes.used + v.column3, first_used_ms = coalesce(codes.first_used_ms, v.column4)
from (values (:id, :used, :uses, :first_used_ms)) as v
where codes.id = v.column1 and codes.used = v.column2;

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
