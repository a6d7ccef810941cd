-- name: insert*!
-- A number that is to be remembered; one that is stays.
insert into methods (id, merchant, test, msisdn, link, created_ms, verified_ms, removed_ms)
values (:id, :merchant, :test, :msisdn, :link, :created_ms, :verified_ms, :removed_ms)
on conflict (merchant, test, msisdn) where removed_ms is null do nothing;

-- name: verify*!
-- The phone of a remembered number has confirmed.
update methods set verified_ms = :verified_ms where merchant = :merchant and test = :test and msisdn = :msisdn
    and removed_ms is null;

-- name: remove!
-- A number is forgotten.
update methods set removed_ms = :now_ms where id = :id and removed_ms is null;

-- name: get
-- One remembered number.
select id, merchant, test, msisdn, link, created_ms, verified_ms, removed_ms
from methods where id = :id;

-- name: of_phone
-- A number, if it is remembered.
select id, merchant, test, msisdn, link, created_ms, verified_ms, removed_ms
from methods where merchant = :merchant and test = :test and msisdn = :msisdn and removed_ms is null;

-- name: listed
-- A merchant's remembered numbers, the latest first.
select id, merchant, test, msisdn, link, created_ms, verified_ms, removed_ms
from methods where merchant = :merchant and test = :test and removed_ms is null and id < :before order by id desc limit :count;
