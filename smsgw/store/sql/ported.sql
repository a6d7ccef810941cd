-- name: put*!
-- Numbers that are at another operator than their prefix says.
insert into ported (msisdn, link) values (:msisdn, :link) on conflict (msisdn) do update set link = excluded.link;

-- name: drop*!
-- Numbers that are back where their prefix says.
delete from ported where msisdn = :msisdn;

-- name: page
-- All of them in the order of the numbers, a page at a time.
select msisdn, link from ported where msisdn > :after order by msisdn limit :most;
