-- name: recent
-- The successes of some codes after an id, oldest first; not their repetitions, which would prolong them for ever.
select code, redemption, state, visitor, uses_left, valid_until_ms from attempts
where code in (select value from json_each(:codes)) and id > :after and outcome = 'success' and channel = 'redirect'
    and reason is null order by id;
