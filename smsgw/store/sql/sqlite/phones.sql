-- name: blocked
-- Who of these wants no questions, and of whom.
select msisdn, merchant from blocks where msisdn in (select value from json_each(:msisdns));

-- name: tallies
-- What was counted in an hour.
select name, asked, answered from tallies where name in (select value from json_each(:names)) and hour = :hour;
