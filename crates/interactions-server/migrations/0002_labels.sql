-- What interactions are labelled with, so that lists can be filtered without reading requests.
create table labels (
    interaction text not null,
    key         text not null,
    value       text not null,
    primary key (interaction, key)
);

-- Those that are there already have their labels in the request only.
insert into labels (interaction, key, value)
select stored.id, label.key, label.value
from interactions stored,
     json_each(case when json_valid(stored.request) then stored.request else '{}' end, '$.labels') label
where label.type = 'text'
on conflict do nothing;
