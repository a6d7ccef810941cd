-- name: insert*!
-- Money that goes back.
insert into refunds (id, payment, amount_minor, status, reason, actor, created_ms, settled_ms)
values (:id, :payment, :amount_minor, :status, :reason, :actor, :created_ms, :settled_ms);

-- name: update*!
-- What came of a refund that was on its way.
update refunds set status = :status, settled_ms = :settled_ms
where id = :id and status = 'pending';

-- name: of_payment
-- A payment's refunds.
select id, payment, amount_minor, status, reason, actor, created_ms, settled_ms
from refunds where payment = :payment order by id;

-- name: pending
-- Refunds that the operator is to be told of, from behind this one.
select id, payment, amount_minor, status, reason, actor, created_ms, settled_ms
from refunds where status = 'pending' and id > :after order by id limit :count;

-- name: waiting
-- How many refunds the operator has not answered for, and since when the oldest waits; not of tests.
select count(*), min(r.created_ms) from refunds r join payments p on p.id = r.payment
where r.status = 'pending' and p.test = 0;
