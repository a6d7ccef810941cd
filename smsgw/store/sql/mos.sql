-- name: insert*!
-- Messages as they came, with what was decided about each.
insert into mos (id, link, session, received_ms, source, destination, esm_class, data_coding, payload, tlvs, fingerprint,
    operator_id, part_key, part_number, part_total, status, whole, body, service, outcome, types, incomplete)
values (:id, :link, :session, :received_ms, :source, :destination, :esm_class, :data_coding, :payload, :tlvs,
    :fingerprint, :operator_id, :part_key, :part_number, :part_total, :status, :whole, :body, :service, :outcome,
    :types, :incomplete);

-- name: join_part*!
-- A part of a long message that is complete now.
update mos set status = 'joined', whole = :whole where id = :id and status = 'part';

-- name: give_up*!
-- What there is of a long message stands for the whole.
update mos set status = 'done', incomplete = 1, body = :body, service = :service, outcome = :outcome
where id = :id and status = 'part';

-- name: due_parts
-- The oldest parts that have waited long enough for the rest.
select part_key from mos where status = 'part' and link = :link and received_ms <= :before_ms
order by received_ms limit :count;

-- name: doubt_session!
-- Whatever a session that ended had not proven may come again; for a repetition, the message that it repeats.
insert into mo_uncertain (mo, fingerprint, until_ms)
select case when m.status = 'repeated' then coalesce(m.whole, m.id) else m.id end, m.fingerprint, :until_ms
from mos m join link_sessions s on s.id = m.session
where s.id = :session and m.session = :session and m.id > s.proven and m.id <= s.newest
on conflict (mo) do nothing;

-- name: absorb*!
-- A redelivery has come: it was the only one that its message may have.
delete from mo_uncertain where mo = :mo;

-- name: forget_doubts!
-- Doubts end with the operator's redelivery window.
delete from mo_uncertain where until_ms <= :now_ms;

-- name: tlvs
-- What came with a message.
select tlvs from mos where id = :id;

-- name: by_id
-- Where one message came from.
select id, link, received_ms, source, destination from mos where id = :id;
