-- Receipts, whole: what they mean is kept beside what they say.

alter table receipts add column error text;                        -- the network's or SMSC's own code
alter table receipts add column done_ms bigint;                    -- by the SMSC's clock
alter table receipts add column event text not null default 'progress'; -- deliver, fail or progress

-- Those that nobody claims are forgotten after a time.
create index receipts_unmatched_at on receipts (received_ms) where mt is null;

-- As the SMSC wrote it, where receipts write it otherwise: it is asked about by its own name.
alter table mts add column smsc_message_id text;

-- Long messages whose other parts never come: what there is of them is answered after a time.
alter table mos add column types text;                             -- of a part: TON and NPI of both addresses
alter table mos add column incomplete integer not null default 0;

create index mos_parts_due on mos (link, received_ms) where status = 'part';

-- Questions to SMSCs about messages that they have accepted: query_sm, cancel_sm, replace_sm.
create table operations (
    id text not null primary key,
    link text not null,
    mt text not null,
    kind text not null check (kind in ('query', 'cancel', 'replace')),
    sealed bytea,                      -- the new text, in the coding of the old one
    key_id text,
    created_ms bigint not null,
    until_ms bigint not null,             -- later it is of no use to anybody
    actor text not null,
    status text not null default 'waiting' check (status in ('waiting', 'asked', 'done', 'failed')),
    result text                          -- what the SMSC answered, or why nobody asked
);

create index operations_waiting on operations (link, id) where status = 'waiting';
create index operations_asked on operations (link, until_ms) where status = 'asked';
create index operations_mt on operations (mt);

-- Accepted messages that wait for their receipt.
create index mts_unreported on mts (link, answered_ms) where status = 'accepted' and registered <> 0;

-- Subscribers who can be reached again, as SMSCs say (alert_notification).
create table alerts (
    id text not null primary key,
    link text not null,
    received_ms bigint not null,
    source text not null,
    esme text not null,
    ms_availability integer
);

create index alerts_received on alerts (received_ms);
