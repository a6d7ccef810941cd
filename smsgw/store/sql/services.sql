-- name: remember*!
-- A service as it is sold now.
insert into services (name, allowed_ips) values (:name, :allowed_ips)
on conflict (name) do update set allowed_ips = excluded.allowed_ips;

-- name: all
-- All services that were ever sold; there are a few hundred.
select name, allowed_ips from services;
