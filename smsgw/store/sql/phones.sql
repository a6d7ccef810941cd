-- name: block*!
-- A phone wants no questions; it may have said so before.
insert into blocks (msisdn, merchant, since_ms, actor) values (:msisdn, :merchant, :since_ms, :actor)
on conflict (msisdn, merchant) do nothing;

-- name: unblock*!
-- A phone may be asked again.
delete from blocks where msisdn = :msisdn and merchant = :merchant;

-- name: blocks
-- Whose questions a phone does not want, since when, and who said so.
select msisdn, merchant, since_ms, actor from blocks where msisdn = :msisdn order by merchant;

-- name: count*!
-- Questions and answers of an hour.
insert into tallies (name, hour, asked, answered) values (:name, :hour, :asked, :answered)
on conflict (name, hour) do update set asked = tallies.asked + excluded.asked,
    answered = tallies.answered + excluded.answered;

-- name: forget_tallies!
-- Hours that count no more.
delete from tallies where hour < :before_hour;
