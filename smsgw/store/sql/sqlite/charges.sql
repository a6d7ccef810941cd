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
