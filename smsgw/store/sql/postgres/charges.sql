-- name: of_payments
-- The attempts of payments, in their order.
select id, payment, number, way, link, node, msisdn, short_code, mt, message_reference, status, reason, operator_id,
    created_ms, intent_ms, settled_ms, tries
from charges where payment = any(:payments::text[]) order by payment, number;

-- name: of_mts
-- The attempts that these messages are.
select id, payment, number, way, link, node, msisdn, short_code, mt, message_reference, status, reason, operator_id,
    created_ms, intent_ms, settled_ms, tries
from charges where mt is not null and mt = any(:mts::text[]) order by id;

-- name: lost
-- A link's attempts of which nobody knows what came.
select id, payment, number, way, link, node, msisdn, short_code, mt, message_reference, status, reason, operator_id,
    created_ms, intent_ms, settled_ms, tries
from charges where link = :link and msisdn = any(:msisdns::text[]) and status in ('intent', 'unknown') order by id;
