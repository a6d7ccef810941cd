-- name: lock
-- These visitors are decided about by us alone until the transaction ends: SQLite has one writer.
select 1 where :names is null;

-- name: visitors
-- What is remembered of some visitors of some services.
select service, visitor, failures, pauses, until_ms, kept, kept_ms from guess_visitors
where service in (select value from json_each(:services)) and visitor in (select value from json_each(:visitors));

-- name: failures
-- The failures of some services, by the hour.
select service, hour, failures from guess_services where service in (select value from json_each(:services)) and hour >= :since_hour;
