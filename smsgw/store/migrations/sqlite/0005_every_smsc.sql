-- Every SMSC: how each message is submitted, where the message that it answers or its service says so.

alter table mts add column service_type text not null default '';   -- empty: the link's
alter table mts add column priority integer not null default 0;     -- higher ones are sent first
alter table mts add column protocol_id integer;                     -- null: the link's
alter table mts add column tlvs blob;                              -- tag, length, value; message_payload is empty: there goes the text
alter table mts add column sms integer not null default 1;          -- how many the radio makes of it
