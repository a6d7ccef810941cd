-- name: recent
-- The uses of some codes after an id by visits with these states, oldest first; no repetitions, which would prolong them.
select code, redemption, state, visitor, uses_left, valid_until_ms from attempts
where code in (select value from json_each(:codes)) and state in (select value from json_each(:states)) and id > :after and outcome = 'success' and reason is null
    and channel = 'redirect' order by id;

-- name: recent_stateless
-- The same for visits without a state, of these visitors.
select code, redemption, state, visitor, uses_left, valid_until_ms from attempts
where code in (select value from json_each(:codes)) and state = '' and visitor in (select value from json_each(:visitors)) and id > :after and outcome = 'success'
    and reason is null and channel = 'redirect' order by id;
