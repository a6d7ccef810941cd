-- name: lock
-- These visitors are decided about by us alone until the transaction ends; in one order, so that nobody waits in a circle.
select pg_advisory_xact_lock(hashtextextended(name, 0)) from (select unnest(:names::text[]) as name order by 1) as named;

-- name: visitors
-- What is remembered of some visitors of some services.
select service, visitor, failures, pauses, until_ms, kept, kept_ms from guess_visitors
where service = any(:services::text[]) and visitor = any(:visitors::text[]);

-- name: failures
-- The failures of some services, by the hour.
select service, hour, failures from guess_services where service = any(:services::text[]) and hour >= :since_hour;
