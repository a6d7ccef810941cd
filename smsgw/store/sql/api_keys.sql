-- name: insert!
-- A new key to the API.
insert into api_keys (id, services, scopes, hash, test, created_ms)
values (:id, :services, :scopes, :hash, :test, :created_ms);

-- name: all
-- All keys to the API, revoked ones too; there are a few for each service.
select id, services, scopes, hash, test, created_ms, revoked_ms from api_keys order by id;

-- name: revoke!
-- Takes a key out of use.
update api_keys set revoked_ms = :now_ms where id = :id and revoked_ms is null;
