-- name: insert*!
-- Adds a thing.
insert into things (id, size, picture) values (:id, :size, :picture);

-- name: all
-- Every thing.
select id, size from things order by id;

-- name: one^
-- A thing.
select id, size, picture from things where id = :id;

-- name: grow!
-- Makes a thing bigger, if it is as big as we think.
update things set size = size + :by where id = :id and size = :size;

-- name: grow_with!
-- The same, said in another way.
with chosen as (select id from things where size = :size) update things set size = size + :by where id in (select id from chosen);

-- name: take
-- Removes a thing, and tells how big it was.
delete from things where id = :id returning size;

-- name: insert_part!
-- Adds a part to a thing that must exist.
insert into parts (id, thing) values (:id, :thing);

-- name: wrong!
-- Cannot be run.
insert into nowhere (id) values (:id);
