-- Receipts, whole: what they mean is kept beside what they say.

alter table receipts add column error text;                        -- the network's or SMSC's own code
alter table receipts add column done_ms integer;                    -- by the SMSC's clock
alter table receipts add column event text not null default 'progress'; -- deliver, fail or progress

-- Those that nobody claims are forgotten after a time.
create index receipts_unmatched_at on receipts (received_ms) where mt is null;

-- As the SMSC wrote it, where receipts write it otherwise: it is asked about by its own name.
alter table mts add column smsc_message_id text;

-- Long messages whose other parts never come: what there is of them is answered after a time.
alter table mos add column types text;                             -- of a part: TON and NPI of both addresses
alter table mos add column incomplete integer not null default 0;

create index mos_parts_due on mos (link, received_ms) where status = 'part';
