-- name: by_phones
-- The attempts at one operator of phones whose payments were confirmed in a time.
select charges.id, charges.payment, operator_id, charges.msisdn, short_code, payments.amount_minor, payments.currency,
    message_reference, coalesce(intent_ms, charges.created_ms), charges.status, payments.charge
from payments join charges on charges.payment = payments.id
where payments.msisdn in (select value from json_each(:msisdns)) and payments.confirmed_ms between :since_ms and :until_ms and charges.link = :link;

-- name: by_ids
-- The attempts at one operator with these ids, or of payments with these ids.
select charges.id, charges.payment, operator_id, charges.msisdn, short_code, payments.amount_minor, payments.currency,
    message_reference, coalesce(intent_ms, charges.created_ms), charges.status, payments.charge
from charges join payments on payments.id = charges.payment
where (charges.id in (select value from json_each(:ids)) or charges.payment in (select value from json_each(:ids))) and charges.link = :link;

-- name: by_messages
-- The attempts at one operator whose billed messages have these ids.
select charges.id, charges.payment, operator_id, charges.msisdn, short_code, payments.amount_minor, payments.currency,
    message_reference, coalesce(intent_ms, charges.created_ms), charges.status, payments.charge
from mts join charges on charges.mt = mts.id join payments on payments.id = charges.payment
where mts.link = :link and mts.registered = 1 and mts.message_id in (select value from json_each(:message_ids));

-- name: taken
-- What earlier records have said of payments.
select payment, told from facts where payment in (select value from json_each(:payments)) and kind = 'operator_record' order by payment, place;
