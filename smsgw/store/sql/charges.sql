-- name: insert*!
-- New attempts; of a payment one at most is open.
insert into charges (id, payment, number, way, link, node, msisdn, short_code, mt, message_reference, status, reason, operator_id,
    created_ms, intent_ms, settled_ms, tries)
values (:id, :payment, :number, :way, :link, :node, :msisdn, :short_code, :mt, :message_reference, :status, :reason,
    :operator_id, :created_ms, :intent_ms, :settled_ms, :tries);

-- name: update*!
-- What has changed of an attempt whose payment the transaction has locked; what is settled stays, unless money shows up.
update charges set node = :node, status = :status, reason = :reason, operator_id = :operator_id, intent_ms = :intent_ms,
    settled_ms = :settled_ms, tries = :tries
where id = :id
    and (status in ('queued', 'intent', 'accepted', 'unknown') or (status = 'failed' and :status = 'charged'));

-- name: working
-- A node's attempts that are not sent, or may have been just now.
select id, payment, number, way, link, node, msisdn, short_code, mt, message_reference, status, reason, operator_id,
    created_ms, intent_ms, settled_ms, tries
from charges where node = :node and status in ('queued', 'intent') order by id;

-- name: orphans
-- Attempts of nodes that are not on the list of the living.
select id, payment, number, way, link, node, msisdn, short_code, mt, message_reference, status, reason, operator_id,
    created_ms, intent_ms, settled_ms, tries
from charges where status in ('queued', 'intent') and node > '' and node <> :node
    and not exists (select 1 from nodes where nodes.id = charges.node) order by node limit :count;

-- name: asked
-- Attempts of an operator's HTTP API of which it has not said what came of them: ours, and those of nodes that are gone.
-- Payments with something to come are few among all that ever were: payments_due leads to them, and the order by an
-- expression keeps planners from walking all charges instead.
select charges.id, charges.payment, number, charges.way, charges.link, node, charges.msisdn, short_code, mt,
    message_reference, charges.status, charges.reason, operator_id, charges.created_ms, intent_ms, charges.settled_ms, tries
from payments join charges on charges.payment = payments.id
where payments.due_ms > 0 and payments.way = 'direct' and payments.status in ('charging', 'charge_unknown')
    and charges.status in ('accepted', 'unknown') and charges.id || '' > :after
    and (node = :node or not exists (select 1 from nodes where nodes.id = charges.node))
order by charges.id || '' limit :count;

-- name: adopt!
-- A node takes over an attempt, whatever has come of it, of one that is not on the list of the living; of several who try,
-- one changes a row.
update charges set node = :node
where id = :id and node = :from_node and not exists (select 1 from nodes where nodes.id = :from_node);
