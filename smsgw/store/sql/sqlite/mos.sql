-- name: doubt_messages!
-- Stored messages whose answer came too late, or was an error, may come again; for a repetition, what it repeats.
insert into mo_uncertain (mo, fingerprint, until_ms)
select case when status = 'repeated' then coalesce(whole, id) else id end, fingerprint, :until_ms
from mos where id in (select value from json_each(:ids))
on conflict (mo) do nothing;

-- name: unsure
-- The messages that one of these may be a redelivery of, oldest first; there are no other nodes with sessions.
select mo, fingerprint from mo_uncertain
where fingerprint in (select value from json_each(:fingerprints)) and until_ms > :now_ms and :node is not null
order by mo;

-- name: lock_fingerprints
-- Messages of these fingerprints are ours alone until the transaction ends: SQLite has one writer.
select 1 where :fingerprints is null;

-- name: by_operator_ids
-- The messages that the operator gave these ids.
select id, operator_id from mos where operator_id in (select value from json_each(:operator_ids));

-- name: waiting_parts
-- The parts of long messages that wait for the rest.
select id, part_key, part_number, part_total, esm_class, payload from mos
where status = 'part' and part_key in (select value from json_each(:part_keys)) and received_ms > :since_ms order by id;

-- name: parts_of
-- All parts of some long messages that wait for the rest, however long.
select id, link, session, received_ms, source, destination, esm_class, data_coding, payload, tlvs, part_key, part_number,
    part_total, types
from mos where status = 'part' and part_key in (select value from json_each(:part_keys)) order by id;

-- name: lock_parts
-- The parts of these long messages are ours alone until the transaction ends: SQLite has one writer.
select 1 where :part_keys is null;
