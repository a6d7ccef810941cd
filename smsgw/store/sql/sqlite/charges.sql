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
-- A link's attempts of which nobody knows what came.
select id, payment, number, way, link, node, msisdn, short_code, mt, message_reference, status, reason, operator_id,
    created_ms, intent_ms, settled_ms, tries
from charges where link = :link and msisdn in (select value from json_each(:msisdns)) and status in ('intent', 'unknown') order by id;
