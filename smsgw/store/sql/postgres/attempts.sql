-- name: recent
-- The uses of some codes after an id by visits with these states, oldest first; no repetitions, which would prolong them.
select code, redemption, state, visitor, uses_left, valid_until_ms from attempts
where code = any(:codes::text[]) and state = any(:states::text[]) and id > :after and outcome = 'success' and reason is null
    and channel = 'redirect' order by id;

-- name: recent_stateless
-- The same for visits without a state, of these visitors.
select code, redemption, state, visitor, uses_left, valid_until_ms from attempts
where code = any(:codes::text[]) and state = '' and visitor = any(:visitors::text[]) and id > :after and outcome = 'success'
    and reason is null and channel = 'redirect' order by id;
