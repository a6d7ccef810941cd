-- The house: nodes and their link sessions, messages in and out, receipts, codes and the attempts to use them.
-- Times are integer milliseconds UTC. Ids sort by time. Money facts and attempts are append-only.

create table nodes (
    id text not null primary key,
    started_ms integer not null,
    seen_ms integer not null
) strict, without rowid;

-- One row per bind that can receive. proven: id of the last message whose response has provably reached the SMSC;
-- it begins with an id made at the bind, so that what a session left in doubt is a short range of ids.
create table link_sessions (
    id text not null primary key,
    link text not null,
    node text not null,
    bound_ms integer not null,
    ended_ms integer,
    proven text not null
) strict, without rowid;

create index link_sessions_open on link_sessions (node) where ended_ms is null;

-- One row per deliver_sm or data_sm that was acknowledged, as it came.
create table mos (
    id text not null primary key,
    link text not null,
    session text not null,
    received_ms integer not null,
    source text not null,
    destination text not null,
    esm_class integer not null,
    data_coding integer not null,
    payload blob not null,           -- with its UDH
    tlvs blob not null,              -- tag, length, value, as received; without message_payload
    fingerprint text not null,         -- equal for a message that is delivered again
    operator_id text,                  -- link and the operator's own message id, where it sends one
    part_key text,                     -- link, source, destination, reference and total of a long message
    part_number integer,
    part_total integer,
    status text not null check (status in ('part', 'joined', 'done', 'repeated')),
    whole text,                        -- joined: the id that bought for all parts; repeated: the id that it repeats
    body text,                         -- the decoded text of the whole; null when it could not be decoded
    service text,
    outcome text                       -- code_issued, or why nothing was bought
) strict, without rowid;

create unique index mos_operator_id on mos (operator_id) where operator_id is not null;
create index mos_waiting_parts on mos (part_key) where status = 'part';

-- Messages whose acknowledgement may not have arrived: each absorbs one redelivery, until until_ms.
create table mo_uncertain (
    mo text not null primary key,
    fingerprint text not null,
    until_ms integer not null
) strict, without rowid;

create index mo_uncertain_fingerprint on mo_uncertain (fingerprint);

-- A code that an MO bought has the id of that MO, with its own kind: one MO cannot buy two.
create table codes (
    id text not null primary key,
    service text not null,
    mo text not null,
    link text not null,
    msisdn text not null,
    lookup text not null unique,       -- HMAC of service and canonical code; the code itself is never stored in clear
    sealed blob not null,            -- AES-GCM, for the audited reveal
    key_id text not null,
    policy text not null,              -- JSON snapshot of the conditions it was made under
    issued_ms integer not null,
    first_used_ms integer,
    used integer not null default 0
) strict, without rowid;

create table attempts (
    id text not null primary key,
    service text not null,
    code text,                         -- null when no code of this service was typed
    at_ms integer not null,
    visitor text not null,
    outcome text not null
) strict, without rowid;

create index attempts_code on attempts (code) where code is not null;

-- One row per submit_sm: a long answer has one for each of its parts.
create table mts (
    id text not null primary key,
    mo text,
    node text not null,
    link text not null,
    source text not null,
    source_ton integer not null,
    source_npi integer not null,
    destination text not null,
    dest_ton integer not null,
    dest_npi integer not null,
    esm_class integer not null,
    data_coding integer not null,
    sealed blob not null,            -- payload with its UDH, AES-GCM: answers carry codes
    key_id text not null,
    registered integer not null,       -- 1: a delivery receipt was asked for
    part integer not null,
    parts integer not null,
    created_ms integer not null,
    expires_ms integer not null,
    not_before_ms integer not null,
    tries integer not null default 0,
    status text not null check (status in ('queued', 'accepted', 'refused', 'expired', 'delivered', 'failed')),
    command_status integer,
    message_id text,
    answered_ms integer
) strict, without rowid;

create index mts_queued on mts (link, id) where status = 'queued';
create index mts_message_id on mts (link, message_id) where registered = 1 and message_id is not null;

create table receipts (
    id text not null primary key,
    link text not null,
    session text not null,
    received_ms integer not null,
    message_id text not null,
    state text not null,
    payload blob not null,
    tlvs blob not null,
    mt text                            -- null until it is matched
) strict, without rowid;

create index receipts_unmatched on receipts (link, message_id) where mt is null;
