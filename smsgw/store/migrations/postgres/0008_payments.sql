-- Payments that a phone confirms. Money facts are append-only; what is in payments.status is a fold over them.
-- Amounts are integer minor units of an ISO 4217 currency.

-- Billed messages are in two states more than free ones: intent (it may be on its way) and unknown (nobody knows).
alter table mts drop constraint mts_status_check;
alter table mts add constraint mts_status_check check (status in
    ('queued', 'intent', 'accepted', 'refused', 'expired', 'delivered', 'failed', 'unknown'));
alter table mts add column payment text;    -- the payment that it asks about, charges, or tells of
alter table mts add column charge text;     -- the attempt that it is: a billed message, never sent again by itself
create index mts_billed on mts (node) where charge is not null and status in ('queued', 'intent');
create index mts_payment on mts (payment) where payment is not null;

create table payments (
    id text not null primary key,
    merchant text not null,
    test integer not null,               -- 1: at a simulated operator
    product text not null,
    units integer not null,
    tariff text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null,
    link text not null,                  -- the operator
    msisdn text not null,                -- digits of E.164
    language text not null,
    way text not null check (way in ('mo', 'mt', 'direct')),
    charge text not null,                -- JSON: how the operator charges it, as the settings said when it was made
    reply_address text not null,         -- the question comes from there, the answer goes there
    address_key text not null,           -- link, reply address and phone
    reference text not null,             -- that the answer may repeat; '' where questions have none
    merchant_reference text not null,    -- the merchant's own, unique for ever
    state text not null,                 -- the merchant's own, given back
    channel text not null,               -- api, checkout
    method text,                         -- the remembered number that it was made with
    status text not null check (status in ('created', 'awaiting_confirmation', 'charging', 'charge_unknown',
        'succeeded', 'failed', 'declined', 'expired', 'canceled')),
    reason text,                         -- why it has failed
    seq integer not null,                -- of its last event
    facts integer not null,              -- how many there are
    created_ms bigint not null,
    confirm_by_ms bigint not null,      -- as the buyer is told; answers count a little longer
    prompted_ms bigint,                 -- an SMSC has taken the question
    confirmed_ms bigint,                -- YES came; from then on it counts against the caps, until it fails
    settled_ms bigint,
    due_ms bigint,                      -- when something must happen by itself
    refunded_minor bigint not null default 0 check (refunded_minor between 0 and amount_minor),
    discrepancy text                     -- proven after its end, or charged twice: refund or grant, until it is resolved
);

-- One open question for each phone and reply address, and with references for each reference.
create unique index payments_open on payments (address_key, reference) where status in ('created', 'awaiting_confirmation');
create index payments_asked on payments (msisdn) where status in ('created', 'awaiting_confirmation');
create unique index payments_reference on payments (merchant, test, merchant_reference);
create index payments_phone on payments (address_key, id);
create index payments_due on payments (due_ms) where due_ms is not null;
create index payments_listed on payments (merchant, test, id);
create index payments_paid on payments (msisdn, confirmed_ms) where confirmed_ms is not null;
create index payments_unknown on payments (id) where status = 'charge_unknown';
create index payments_odd on payments (id) where discrepancy is not null;

-- Everything that happened to a payment, in the order of their places: clocks may be put back. Append-only.
create table facts (
    id text not null primary key,
    payment text not null,
    place integer not null,              -- among the payment's facts, from 1
    at_ms bigint not null,
    kind text not null,
    told text not null                   -- JSON: message ids, texts, statuses, who
);

create unique index facts_payment on facts (payment, place);

-- Attempts to take money. Of one payment at most one is open: its money may be on its way.
create table charges (
    id text not null primary key,
    payment text not null,
    number integer not null,             -- among the payment's attempts, from 1
    way text not null,
    link text not null,
    node text not null,                  -- who works on it
    msisdn text not null,
    short_code text not null,
    mt text,                             -- the billed message
    message_reference integer not null,  -- user_message_reference of it
    status text not null check (status in ('queued', 'intent', 'accepted', 'unknown', 'charged', 'failed')),
    reason text,
    operator_id text,                    -- the SMSC's or the API's name for it
    created_ms bigint not null,
    intent_ms bigint,                   -- from then on something may have been sent
    settled_ms bigint,
    tries integer not null default 0     -- that the operator has definitely refused
);

create unique index charges_open on charges (payment) where status in ('queued', 'intent', 'accepted', 'unknown');
create index charges_payment on charges (payment, number);
create unique index charges_mt on charges (mt) where mt is not null;
create index charges_nameless on charges (link, msisdn) where operator_id is null;
create index charges_working on charges (node) where status in ('queued', 'intent');

create table refunds (
    id text not null primary key,
    payment text not null,
    amount_minor bigint not null check (amount_minor > 0),
    status text not null check (status in ('pending', 'succeeded', 'failed', 'manual')),
    reason text not null,
    actor text not null,
    created_ms bigint not null,
    settled_ms bigint
);

create index refunds_payment on refunds (payment, id);
create index refunds_pending on refunds (id) where status = 'pending';

-- Phones that want no more questions, of one merchant or ('') of nobody.
create table blocks (
    msisdn text not null,
    merchant text not null,
    since_ms bigint not null,
    actor text not null,
    primary key (msisdn, merchant)
);

-- Numbers that have left the operator that their prefix names.
create table ported (
    msisdn text not null primary key,
    link text not null
);

-- Questions asked and free answers given in an hour, for each phone and range of numbers.
create table tallies (
    name text not null,
    hour integer not null,               -- since 1970
    asked integer not null,
    answered integer not null,           -- of these, with YES
    primary key (name, hour)
);

create index tallies_hour on tallies (hour);

-- Numbers that a merchant's buyer wants to be remembered.
create table methods (
    id text not null primary key,
    merchant text not null,
    test integer not null,
    msisdn text not null,
    link text not null,
    created_ms bigint not null,
    verified_ms bigint,                 -- the last payment that its phone has confirmed
    removed_ms bigint
);

create unique index methods_live on methods (merchant, test, msisdn) where removed_ms is null;

-- How a subject's events are listed, beside how they are delivered.
create index events_subject on events (subject, place);
create index events_service on events (service, id);

-- Receipts whose message is known by nothing but its addresses: the response that names it never came.
alter table receipts add column source text not null default '';
alter table receipts add column destination text not null default '';
alter table receipts add column reference integer;                    -- user_message_reference, where it is repeated
