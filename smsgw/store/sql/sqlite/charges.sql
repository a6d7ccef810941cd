-- name: of_payments
-- The attempts of payments, in their order.
select id, payment, number, way, link, node, msisdn, short_code, mt, message_reference, status, reason, operator_id,
    created_ms, intent_ms, settled_ms, tries
from charges where payment in (select value from json_each(:payments)) order by payment, number;

-- name: of_mts
-- The attempts that these messages are.
select id, payment, number, way, link, node, msisdn, short_code, mt, message_reference, status, reason, operator_id,
    created_ms, intent_ms, settled_ms, tries
from charges where mt is not null and mt in (select value from json_each(:mts)) order by id;

-- name: lost
-- A link's attempts that something was sent of, and that have no name at their operator: what came of them is open.
select id, payment, number, way, link, node, msisdn, short_code, mt, message_reference, status, reason, operator_id,
    created_ms, intent_ms, settled_ms, tries
from charges where link = :link and msisdn in (select value from json_each(:msisdns)) and operator_id is null
    and status in ('queued', 'intent', 'accepted', 'unknown', 'failed') and intent_ms is not null order by id;

-- name: awaited
-- A link's attempts at these phones that have a name at their operator, and whose receipt is still to come.
select charges.id, charges.payment, number, charges.way, charges.link, node, charges.msisdn, short_code, mt,
    message_reference, charges.status, charges.reason, operator_id, charges.created_ms, intent_ms, charges.settled_ms, tries
from payments join charges on charges.payment = payments.id
where payments.msisdn in (select value from json_each(:msisdns)) and payments.confirmed_ms is not null
    and payments.status in ('charging', 'charge_unknown') and charges.link = :link
    and charges.status in ('accepted', 'unknown') and operator_id is not null order by charges.id;
