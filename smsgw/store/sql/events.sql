-- name: insert*!
-- New events, due at once, or only for the record.
insert into events (id, service, type, subject, place, body, at_ms, next_ms, status, settled_ms, test)
values (:id, :service, :type, :subject, :place, :body, :at_ms, :at_ms, :status, :settled_ms, :test);

-- name: claim*!
-- A node posts these now; nobody else does while it lives, and it does not look at them again until that time.
update events set node = :node, next_ms = :until_ms, waits = 0 where id = :id and status = 'pending';

-- name: park*!
-- Events that wait for an earlier one of their subject are looked at again later.
update events set node = null, next_ms = :until_ms, waits = 1 where id = :id and status = 'pending';

-- name: settle*!
-- Delivered, whoever found out; or given up by the node that has it.
update events set status = :status, tries = :tries, http_status = :http_status, error = :error, settled_ms = :at_ms,
    node = null
where id = :id and status = 'pending' and (:status = 'delivered' or (node = :node and next_ms = :until_ms));

-- name: retry*!
-- A try has failed; only the node that has the event says when the next is.
update events set tries = :tries, http_status = :http_status, error = :error, next_ms = :next_ms, node = null
where id = :id and status = 'pending' and node = :node and next_ms = :until_ms;

-- name: follow*!
-- What waited for an event that is settled is due; not what is in a pause of its own.
update events set next_ms = :at_ms
where subject = :subject and status = 'pending' and waits = 1 and next_ms > :at_ms
    and place = (select min(place) from events where subject = :subject and status = 'pending');

-- name: ids
-- Ids of events between two others, the oldest first.
select id from events where id > :above and id < :below order by id limit :count;

-- name: forget*!
-- A delivered event is forgotten, unless one of its subject is still on its way.
delete from events where id = :id and status = 'delivered' and settled_ms < :before_ms
    and not exists (select 1 from events b where b.subject = events.subject and b.status = 'pending');

-- name: forget_waiting!
-- Old events of a service that wait for an address which wants no more.
delete from events where id in (
    select id from events where service = :service and status = 'pending' and node is null and at_ms < :before_ms
    order by id limit :count
);

-- name: waiting
-- How many events of a service wait.
select count(*) from events where service = :service and status = 'pending';

-- name: release!
-- What a node had when it ended is due at once.
update events set node = null, next_ms = :now_ms where node = :node and status = 'pending';

-- name: inherit!
-- What nodes had that are gone is due at once, whatever time they had claimed it until by their clocks.
update events set node = null, next_ms = :now_ms
where node is not null and node <> :node and status = 'pending'
    and not exists (select 1 from nodes n where n.id = events.node);

-- name: hasten!
-- The clock was put back: what a service has in a pause is due as much sooner.
update events set next_ms = next_ms - :step_ms
where service = :service and status = 'pending' and node is null and next_ms > :now_ms;

-- name: walk
-- Events and their deliveries, the latest first; empty filters take all. What nobody wants posted was delivered without a
-- try.
select id, service, type, subject, place, body, at_ms,
    case when status = 'delivered' and tries = 0 then 'not_posted' else status end,
    tries, next_ms, node, http_status, error, settled_ms
from events
where id >= :first and id < :before and (:service = '' or service = :service) and (:test < 0 or test = :test)
    and (:type = '' or type = :type)
    and (:status = '' or case when status = 'delivered' and tries = 0 then 'not_posted' else status end = :status)
order by id desc limit :count;

-- name: listed
-- The same, of one service and one kind.
select id, service, type, subject, place, body, at_ms,
    case when status = 'delivered' and tries = 0 then 'not_posted' else status end,
    tries, next_ms, node, http_status, error, settled_ms
from events
where service = :service and test = :test and id >= :first and id < :before and (:type = '' or type = :type)
    and (:status = '' or case when status = 'delivered' and tries = 0 then 'not_posted' else status end = :status)
order by id desc limit :count;

-- name: of_subject
-- The events of one subject, in their order.
select id, service, type, subject, place, body, at_ms,
    case when status = 'delivered' and tries = 0 then 'not_posted' else status end,
    tries, next_ms, node, http_status, error, settled_ms
from events where subject = :subject order by place;

-- name: again*!
-- An event is posted once more, unless a node is just doing so. In its pause it has a try now, one of those that it has
-- left; settled, all its tries anew.
update events set status = 'pending', tries = case when status = 'pending' then tries else 0 end, next_ms = :now_ms,
    waits = 0, settled_ms = null
where id = :id and node is null;
