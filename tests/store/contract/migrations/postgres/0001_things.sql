create table things (
    id text not null primary key,
    size bigint not null check (size >= 0),
    picture bytea -- a semicolon; in a comment
);

create table parts (
    id text not null primary key,
    thing text not null references things (id)
);
