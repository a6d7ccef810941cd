-- name: insert*!
-- Somebody tried a code.
insert into attempts (id, service, code, at_ms, visitor, outcome, redemption, channel, reason, state, uses_left,
    valid_until_ms, latency_ms)
values (:id, :service, :code, :at_ms, :visitor, :outcome, :redemption, :channel, :reason, :state, :uses_left,
    :valid_until_ms, :latency_ms);

-- name: by_id
-- One attempt.
select id, service, code, at_ms, visitor, outcome, coalesce(redemption, ''), channel, reason, state, uses_left,
    valid_until_ms, latency_ms from attempts where id = :id;

-- name: of_code
-- A code's attempts, the latest first.
select id, service, code, at_ms, visitor, outcome, coalesce(redemption, ''), channel, reason, state, uses_left,
    valid_until_ms, latency_ms from attempts where code = :code and id < :before order by id desc limit :count;

-- name: consume!
-- A merchant spends a redemption, once.
insert into consumed (redemption, at_ms) values (:redemption, :at_ms) on conflict (redemption) do nothing;

-- name: forget!
-- The oldest attempts, some of them.
delete from attempts where id in (select id from attempts where id < :before order by id limit :count);

-- name: forget_consumed!
-- Spent redemptions whose attempts are no more, some of them.
delete from consumed
where redemption in (select redemption from consumed where redemption < :before order by redemption limit :count);
