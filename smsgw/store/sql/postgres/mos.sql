-- name: doubt_messages!
-- Stored messages whose answer came too late, or was an error, may come again; for a repetition, what it repeats.
insert into mo_uncertain (mo, fingerprint, until_ms)
select case when status = 'repeated' then coalesce(whole, id) else id end, fingerprint, :until_ms
from mos where id = any(:ids::text[])
on conflict (mo) do nothing;

-- name: unsure
-- The messages that one of these may be a redelivery of, oldest first; without an id those that are unproven in open
-- sessions of other nodes. One statement, hence one snapshot: a session's end moves its messages from here to there.
with doubted as materialized (
    select mo, fingerprint from mo_uncertain
    where fingerprint = any(:fingerprints::text[]) and until_ms > :now_ms order by mo for update
)
select mo, fingerprint from doubted
union all
select null, m.fingerprint from link_sessions s cross join lateral (
    select mos.fingerprint from mos
    where mos.id > s.proven and mos.id <= s.newest and mos.session = s.id
        and mos.fingerprint = any(:fingerprints::text[])
    offset 0
) m
where s.ended_ms is null and s.node <> :node
order by mo;

-- name: lock_fingerprints
-- Nobody else may decide about messages of these fingerprints until the transaction ends: both would miss the other's.
-- In one order, so that nobody waits in a circle; 7396172 is smsgw's own.
select pg_advisory_xact_lock(7396172, key)::text
from (select distinct hashtext(one) as key from unnest(:fingerprints::text[]) as one order by key offset 0) as keys;

-- name: by_operator_ids
-- The messages that the operator gave these ids.
select id, operator_id from mos where operator_id = any(:operator_ids::text[]);

-- name: waiting_parts
-- The parts of long messages that wait for the rest.
select id, part_key, part_number, part_total, esm_class, payload from mos
where status = 'part' and part_key = any(:part_keys::text[]) and received_ms > :since_ms order by id;

-- name: parts_of
-- All parts of some long messages that wait for the rest, however long.
select id, link, session, received_ms, source, destination, esm_class, data_coding, payload, tlvs, part_key, part_number,
    part_total, types
from mos where status = 'part' and part_key = any(:part_keys::text[]) order by id;

-- name: lock_parts
-- Nobody else may join the parts of these long messages until the transaction ends: both would miss the other's part.
select pg_advisory_xact_lock(hashtext(part_key))::text from unnest(:part_keys::text[]) as part_key order by part_key;
