-- name: lookup
-- Which of these numbers have moved, and where to.
select msisdn, link from ported where msisdn in (select value from json_each(:msisdns));
