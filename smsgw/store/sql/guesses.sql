-- name: remember*!
-- A visitor was wrong, or has come in vain; nobody else decides about the same visitor meanwhile.
insert into guess_visitors (service, visitor, failures, last_ms, pauses, until_ms, kept, kept_ms)
values (:service, :visitor, :failures, :last_ms, :pauses, :until_ms, :kept, :kept_ms)
on conflict (service, visitor) do update set failures = excluded.failures, last_ms = excluded.last_ms,
    pauses = excluded.pauses, until_ms = excluded.until_ms, kept = excluded.kept, kept_ms = excluded.kept_ms;

-- name: add*!
-- A service's visitors were wrong.
insert into guess_services (service, hour, failures) values (:service, :hour, :failures)
on conflict (service, hour) do update set failures = guess_services.failures + excluded.failures;

-- name: forget_visitors!
-- Visitors whose window and pause are long over.
delete from guess_visitors where last_ms <= :before_ms and until_ms <= :before_ms and kept_ms <= :before_ms;

-- name: forget_services!
-- Hours that count no more.
delete from guess_services where hour < :before_hour;
