create table things (
    id text not null primary key,
    size integer not null check (size >= 0),
    picture blob -- a semicolon; in a comment
) strict;

create table parts (
    id text not null primary key,
    thing text not null references things (id)
) strict;
