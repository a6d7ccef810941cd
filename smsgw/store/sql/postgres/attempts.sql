-- name: recent
-- The successes of some codes after an id, oldest first.
select code, redemption, state, visitor, uses_left, valid_until_ms from attempts
where code = any(:codes::text[]) and id > :after and outcome = 'success' and channel = 'redirect' order by id;
