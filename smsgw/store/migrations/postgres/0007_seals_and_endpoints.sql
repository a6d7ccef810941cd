-- What an Idempotency-Key came with is sealed, so that it outlives a rotation of the vault's key; merchants who want no
-- more webhooks.

alter table idempotency drop column fingerprint;
alter table idempotency add column request bytea;                    -- SHA-256 of the request, sealed; null: from before
alter table idempotency add column key_id text not null default '';

-- Services whose address has answered 410 Gone: nothing is posted to it.
create table gone_endpoints (
    service text not null primary key,
    url text not null,                   -- that answered; another one is posted to
    at_ms bigint not null
);
