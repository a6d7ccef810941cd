-- name: close*!
-- A merchant's address wants no more.
insert into gone_endpoints (service, url, at_ms) values (:service, :url, :at_ms)
on conflict (service) do update set url = excluded.url, at_ms = excluded.at_ms;

-- name: gone
-- All addresses that want no more; there are a few.
select service, url, at_ms from gone_endpoints;

-- name: open!
-- A service's address is posted to again.
delete from gone_endpoints where service = :service;

-- name: open_other*!
-- A service has another address now.
delete from gone_endpoints where service = :service and url <> :url;
