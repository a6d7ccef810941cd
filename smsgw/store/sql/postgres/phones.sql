-- name: blocked
-- Who of these wants no questions, and of whom.
select msisdn, merchant from blocks where msisdn = any(:msisdns::text[]);

-- name: tallies
-- What was counted in an hour.
select name, asked, answered from tallies where name = any(:names::text[]) and hour = :hour;
