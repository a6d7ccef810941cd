-- name: lock_phones
-- These phones are asked and heard by us alone until the transaction ends; in one order, so that nobody waits in a circle.
select pg_advisory_xact_lock(hashtextextended('phone ' || name, 0))::text
from (select distinct unnest(:msisdns::text[]) as name order by 1) as named;

-- name: by_ids
-- Payments, locked until the transaction ends, in one order so that nobody waits in a circle.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where id = any(:ids::text[]) order by id for update;

-- name: by_phones
-- The later payments of phones at reply addresses, locked until the transaction ends.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where address_key = any(:address_keys::text[]) and id > :after order by id for update;

-- name: heard_about
-- Which payments answers may be about: the later ones of phones at reply addresses, and whatever is open at some phones.
select id from payments where address_key = any(:address_keys::text[]) and id > :after
union
select id from payments where msisdn = any(:stopped::text[]) and status in ('created', 'awaiting_confirmation')
order by id;

-- name: ended
-- Payments that ended long ago, and about which nothing is to be done.
select id from payments where id < :before and status in ('succeeded', 'failed', 'declined', 'expired', 'canceled')
    and discrepancy is null
    and not exists (select 1 from refunds where refunds.payment = payments.id and refunds.status = 'pending')
order by id limit :count;

-- name: forget_facts!
-- What happened to payments that are forgotten.
delete from facts where payment = any(:ids::text[]);

-- name: forget_charges!
-- The attempts of payments that are forgotten.
delete from charges where payment = any(:ids::text[]);

-- name: forget_refunds!
-- The refunds of payments that are forgotten.
delete from refunds where payment = any(:ids::text[]);

-- name: forget!
-- Payments that ended long ago.
delete from payments where id = any(:ids::text[]);

-- name: due
-- Payments of which something must happen by itself now, or at a time that only a wrong clock can have named; not those that another node is just looking at.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where due_ms <= :now_ms or due_ms > :never_ms order by due_ms limit :count for update skip locked;

-- name: paid
-- What phones have confirmed and was not refused.
select id, msisdn, merchant, product, currency, amount_minor, confirmed_ms, test from payments
where msisdn = any(:msisdns::text[]) and confirmed_ms >= :since_ms and status in ('charging', 'charge_unknown', 'succeeded');

-- name: by_references
-- The payments that a merchant calls by these names.
select merchant_reference, id from payments
where merchant = :merchant and test = :test and merchant_reference = any(:references::text[]);
