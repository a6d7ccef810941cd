-- Events of test payments and test codes are listed apart from live ones: a key sees one kind only.
alter table events add column test integer not null default 0;

update events set test = 1 where body like '%"test":true%';

drop index events_service;

create index events_listed on events (service, test, id);
