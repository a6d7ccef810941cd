-- name: lookup
-- Where some numbers are now; those that have not moved are not there.
select msisdn, link from ported where msisdn in (select value from json_each(:msisdns));
