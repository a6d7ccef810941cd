-- name: lock_phones
-- These phones are asked and heard by us alone until the transaction ends: SQLite has one writer.
select 1 where :msisdns is null;

-- name: by_ids
-- Payments (SQLite has one writer: nobody else changes them meanwhile).
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where id in (select value from json_each(:ids)) order by id;

-- name: by_phones
-- The later payments of phones at reply addresses.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where address_key in (select value from json_each(:address_keys)) and id > :after order by id;

-- name: heard_about
-- Which payments answers may be about: the later ones of phones at reply addresses, and whatever is open at some phones.
select id from payments where address_key in (select value from json_each(:address_keys)) and id > :after
union
select id from payments where msisdn in (select value from json_each(:stopped)) and status in ('created', 'awaiting_confirmation')
order by id;

-- name: ended
-- Payments that ended long ago, and about which nothing is to be done.
select id from payments where id < :before and status in ('succeeded', 'failed', 'declined', 'expired', 'canceled')
    and discrepancy is null
    and not exists (select 1 from refunds where refunds.payment = payments.id and refunds.status = 'pending')
order by id limit :count;

-- name: forget_facts!
-- What happened to payments that are forgotten.
delete from facts where payment in (select value from json_each(:ids));

-- name: forget_charges!
-- The attempts of payments that are forgotten.
delete from charges where payment in (select value from json_each(:ids));

-- name: forget_refunds!
-- The refunds of payments that are forgotten.
delete from refunds where payment in (select value from json_each(:ids));

-- name: forget!
-- Payments that ended long ago.
delete from payments where id in (select value from json_each(:ids));

-- name: due
-- Payments of which something must happen by itself now, or at a time that only a wrong clock can have named.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where due_ms <= :now_ms or due_ms > :never_ms order by due_ms limit :count;

-- name: paid
-- What phones have confirmed and was not refused.
select id, msisdn, merchant, product, currency, amount_minor, confirmed_ms, test from payments
where msisdn in (select value from json_each(:msisdns)) and confirmed_ms >= :since_ms and status in ('charging', 'charge_unknown', 'succeeded');

-- name: by_references
-- The payments that a merchant calls by these names.
select merchant_reference, id from payments
where merchant = :merchant and test = :test and merchant_reference in (select value from json_each(:references));
