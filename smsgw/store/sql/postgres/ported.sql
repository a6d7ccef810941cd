-- name: lookup
-- Which of these numbers have moved, and where to.
select msisdn, link from ported where msisdn = any(:msisdns::text[]);
