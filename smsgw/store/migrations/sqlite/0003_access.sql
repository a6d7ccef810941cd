-- Access codes, whole: test codes and revocation, what an attempt was worth, limits on guessing, keys, the audit log.

alter table codes add column test integer not null default 0;      -- 1: bought from a simulated operator
alter table codes add column revoked_ms integer;
alter table codes add column again_day integer not null default 0;   -- day since 1970 in which it was last told again
alter table codes add column again_count integer not null default 0; -- how often, in that day

create index codes_msisdn on codes (msisdn, id);

-- The messages that asked for a code again and were answered with it: their answers belong to its trace.
create table told_again (
    code text not null,
    mo text not null,
    primary key (code, mo)
) strict, without rowid;

-- How often a bought code was made anew in a day, in all its successions: each time costs an SMS to the phone.
create table reissues (
    mo text not null,                    -- the message that bought the first one
    day integer not null,                -- since 1970
    count integer not null,
    primary key (mo, day)
) strict, without rowid;

create index reissues_day on reissues (day);

-- An answer has a number among all that its message causes; no more than the service allows can exist.
alter table mts add column reply integer;
alter table mts add column max_replies integer check (reply is null or reply between 1 and max_replies);

create unique index mts_reply on mts (mo, reply) where mo is not null and reply is not null;

alter table attempts add column redemption text;                   -- what a return token names; a success that is repeated has the first one's
alter table attempts add column channel text not null default 'redirect';
alter table attempts add column reason text;                       -- more than the outcome tells outside: unknown, revoked, again …
alter table attempts add column state text not null default '';      -- the merchant's own
alter table attempts add column uses_left integer;
alter table attempts add column valid_until_ms integer;
alter table attempts add column latency_ms integer not null default 0;

-- A code's latest attempts are found without the older ones.
drop index attempts_code;
create index attempts_code on attempts (code, id) where code is not null;
-- The success that a visit repeats: by its state, or without one by its visitor.
create index attempts_repeated on attempts (code, state, visitor, id) where outcome = 'success' and reason is null;

-- Redemptions that the merchant has spent: each once.
create table consumed (
    redemption text not null primary key,
    at_ms integer not null
) strict, without rowid;

-- Return tokens that are mere handles, until they are exchanged.
create table handles (
    hash text not null primary key,      -- of the handle, which is never stored
    service text not null,
    claims text not null,                -- JSON
    expires_ms integer not null,
    spent_ms integer
) strict, without rowid;

create index handles_expires on handles (expires_ms);

-- Answers to requests that carry an Idempotency-Key.
create table idempotency (
    caller text not null,                -- the service, and live or test
    key text not null,
    fingerprint text not null,           -- of the request
    answer text not null,                -- JSON
    at_ms integer not null,
    primary key (caller, key)
) strict, without rowid;

create index idempotency_at on idempotency (at_ms);

-- Visitors who were wrong, and how often services were (domain/guessing.py).
create table guess_visitors (
    service text not null,
    visitor text not null,               -- an IPv4 address or an IPv6 /64
    failures text not null,              -- JSON: when the latest were, no more than may be made in a window
    last_ms integer not null,             -- the latest of them
    pauses integer not null,
    until_ms integer not null,
    kept integer not null,               -- attempts that changed nothing and were stored, since kept_ms
    kept_ms integer not null,
    primary key (service, visitor)
) strict, without rowid;

create index guess_visitors_last on guess_visitors (last_ms);

create table guess_services (
    service text not null,
    hour integer not null,               -- since 1970
    failures integer not null,
    primary key (service, hour)
) strict, without rowid;

-- Keys to the API. Only a hash is kept: a key has 160 random bits, so that a plain one is enough.
create table api_keys (
    id text not null primary key,
    services text not null,              -- JSON list
    scopes text not null,                -- JSON list
    hash text not null,
    test integer not null,
    created_ms integer not null,
    revoked_ms integer
) strict, without rowid;

-- Services as they were last sold: who might ask about one may ask for its history when it is not sold any more.
create table services (
    name text not null primary key,
    allowed_ips text not null            -- JSON list
) strict, without rowid;

-- Keys that a service shares with its merchant: to sign return tokens and webhooks.
create table service_keys (
    id text not null primary key,
    service text not null,
    purpose text not null check (purpose in ('return', 'webhook')),
    sealed blob not null,
    key_id text not null,
    created_ms integer not null,
    from_ms integer not null,            -- signs from then on; before, merchants make themselves ready
    revoked_ms integer
) strict, without rowid;

create index service_keys_service on service_keys (service, purpose);

-- Who did what: revealed, revoked, extended, made again, keys made and taken away. Append-only.
create table audit (
    id text not null primary key,
    at_ms integer not null,
    actor text not null,                 -- an API key's id, or the command line's user
    action text not null,
    subject text not null,               -- an id
    detail text not null                 -- JSON
) strict, without rowid;

create index audit_subject on audit (subject);

-- The keys of the vault that a node has read, the one in use first: a rotation waits for all nodes.
alter table nodes add column keys text not null default '';

create index receipts_mt on receipts (mt) where mt is not null;
