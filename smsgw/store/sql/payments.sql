-- name: insert*!
-- New payments.
insert into payments (id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy)
values (:id, :merchant, :test, :product, :units, :tariff, :amount_minor, :currency, :link, :msisdn, :language, :way,
    :charge, :reply_address, :address_key, :reference, :merchant_reference, :state, :channel, :method, :status,
    :reason, :seq, :facts, :created_ms, :confirm_by_ms, :prompted_ms, :confirmed_ms, :settled_ms, :due_ms,
    :refunded_minor, :discrepancy);

-- name: update*!
-- What has changed of a payment that the transaction has locked; its last event only moves forward.
update payments set status = :status, reason = :reason, seq = :seq, facts = :facts, prompted_ms = :prompted_ms,
    confirmed_ms = :confirmed_ms, settled_ms = :settled_ms, due_ms = :due_ms, refunded_minor = :refunded_minor,
    discrepancy = :discrepancy
where id = :id and seq <= :seq;

-- name: get
-- One payment.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where id = :id;

-- name: listed
-- A merchant's payments, the latest first.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where merchant = :merchant and test = :test and id < :before and (:status = '' or status = :status)
order by id desc limit :count;

-- name: searched
-- Payments that have all that is asked for, the latest first; what is '' is not asked for.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where id >= :first and (:merchant = '' or merchant = :merchant) and (:status = '' or status = :status)
order by id desc limit :count;

-- name: searched_phone
-- The same, of one phone; what is '' or 0 is not asked for.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where msisdn = :msisdn and id >= :first and (:merchant = '' or merchant = :merchant)
    and (:status = '' or status = :status) and (:odd = 0 or discrepancy is not null)
order by id desc limit :count;

-- name: searched_odd
-- The same, of those with a discrepancy.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where discrepancy is not null and id >= :first and (:merchant = '' or merchant = :merchant)
    and (:status = '' or status = :status)
order by id desc limit :count;

-- name: searched_unknown
-- The same, of those of which nobody knows whether they were charged.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where status = 'charge_unknown' and id >= :first and (:merchant = '' or merchant = :merchant)
order by id desc limit :count;

-- name: unknown
-- Payments of which nobody knows whether they were charged.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where status = 'charge_unknown' order by id limit :count;

-- name: odd
-- Payments with a discrepancy.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where discrepancy is not null order by id limit :count;

-- name: of_phone
-- The latest payments that a phone has confirmed.
select id, merchant, test, product, units, tariff, amount_minor, currency, link, msisdn, language, way, charge,
    reply_address, address_key, reference, merchant_reference, state, channel, method, status, reason, seq, facts,
    created_ms, confirm_by_ms, prompted_ms, confirmed_ms, settled_ms, due_ms, refunded_minor, discrepancy
from payments where msisdn = :msisdn and confirmed_ms is not null order by confirmed_ms desc limit :count;

-- name: figures
-- At each operator the payments of which nobody knows whether they were charged: how many, since when, how many for long.
select link, count(*), min(confirmed_ms), sum(case when confirmed_ms <= :hour_ms then 1 else 0 end),
    sum(case when confirmed_ms <= :day_ms then 1 else 0 end)
from payments where status = 'charge_unknown' and test = 0 group by link;

-- name: count_odd
-- How many payments have a discrepancy.
select count(*) from payments where discrepancy is not null and test = 0;

-- name: record*!
-- What happened to payments.
insert into facts (id, payment, place, at_ms, kind, told)
values (:id, :payment, :place, :at_ms, :kind, :told);

-- name: facts
-- Everything that happened to a payment, in its order.
select id, payment, place, at_ms, kind, told from facts where payment = :payment order by place;
