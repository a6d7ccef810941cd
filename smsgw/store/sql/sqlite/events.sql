-- name: due
-- Events that are due and no other node's, and until when each must wait for an earlier one of its subject, if there is one.
select e.id, e.type, e.subject, e.body, e.tries, (
    select case when b.node is null and b.next_ms > :now_ms then b.next_ms else :soon_ms end from events b
    where b.subject = e.subject and b.place < e.place and b.status = 'pending' order by b.place limit 1
)
from events e where e.service = :service and e.status = 'pending' and e.next_ms <= :now_ms
    and (e.node is null or e.node = :node)
order by e.next_ms, e.id limit :count;
