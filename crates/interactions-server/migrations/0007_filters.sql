-- Lists that are filtered find their page by an index, however much else is stored.
create index interactions_by_status on interactions (tenant, status, created desc, id desc)
    where status <> 'in_progress'; -- those that run are few, and have an index of their own
create index interactions_by_model on interactions (tenant, model, created desc, id desc);

-- Labels carry what a list is ordered by, which never changes.
create table placed_labels (
    tenant      text    not null,
    interaction text    not null,
    key         text    not null,
    value       text    not null,
    created     integer not null,       -- that of the interaction
    primary key (interaction, key)
);

insert into placed_labels (tenant, interaction, key, value, created)
select stored.tenant, stored.id, labels.key, labels.value, stored.created
from labels join interactions stored on stored.id = labels.interaction;

drop table labels;
alter table placed_labels rename to labels;

create index labels_by_key on labels (tenant, key, created desc, interaction desc);
create index labels_by_value on labels (tenant, key, value, created desc, interaction desc);
