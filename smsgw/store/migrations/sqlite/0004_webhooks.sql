-- What merchants are told: events, each stored with what it tells, and how far its delivery has come.

create table events (
    id text not null primary key,
    service text not null,
    type text not null,                  -- code.issued, code.redeemed, code.exhausted
    subject text not null,               -- the id of what it is about
    place integer not null,               -- among those of its subject, which are delivered in this order
    body text not null,                  -- JSON, as it is posted
    at_ms integer not null,
    status text not null default 'pending' check (status in ('pending', 'delivered', 'given_up')),
    tries integer not null default 0,
    next_ms integer not null,             -- pending: when it is due; while a node has it, when others may take it
    waits integer not null default 0,      -- 1: put off only because an earlier one of its subject is in its way
    node text,                           -- who posts it at the moment
    http_status integer,                 -- of the last try
    error text,                          -- of the last try, in our words
    settled_ms integer
) strict, without rowid;

create index events_due on events (service, next_ms, id) where status = 'pending';

create unique index events_order on events (subject, place) where status = 'pending';

create index events_node on events (node) where node is not null;
