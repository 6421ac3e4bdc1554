-- Chunks in rows that lie behind each other as they come; by their key, the larger ones cost a page each.
create table packed_chunks (
    interaction text    not null,
    first_seq   integer not null,
    last_seq    integer not null,
    payload     text    not null,
    primary key (interaction, first_seq)
);

insert into packed_chunks (interaction, first_seq, last_seq, payload)
select interaction, first_seq, last_seq, payload from chunks;

drop table chunks;
alter table packed_chunks rename to chunks;

-- What runs write again and again, each as one statement: a row inserted into one of these views.
-- A statement is a transaction of its own, and costs one trip to the database instead of four to seven.

-- An interaction with its labels, and its first events and what is to be told, if there are any.
create view births as
select id, tenant, parent, model, agent, status, background, request, secrets, input, output, usage, errors,
       attempt, owner, lease_until, last_seq, created, updated, expires,
       null as labels, null as first_seq, null as payload, null as deliveries
from interactions where false;

create trigger birth instead of insert on births begin
    insert into interactions (id, tenant, parent, model, agent, status, background, request, secrets, input, output,
                              usage, errors, attempt, owner, lease_until, last_seq, created, updated, expires)
    values (new.id, new.tenant, new.parent, new.model, new.agent, new.status, new.background, new.request, new.secrets,
            new.input, new.output, new.usage, new.errors, new.attempt, new.owner, new.lease_until, new.last_seq,
            new.created, new.updated, new.expires);
    insert into labels (tenant, interaction, key, value, created)
    select new.tenant, new.id, label.key, label.value, new.created from json_each(new.labels) label;
    insert into chunks (interaction, first_seq, last_seq, payload)
    select new.id, new.first_seq, new.last_seq, new.payload where new.payload is not null;
    insert into deliveries (id, tenant, webhook, uri, payload, due, created)
    select told.value ->> 'id', new.tenant, told.value ->> 'webhook', told.value ->> 'uri', told.value ->> 'payload',
           new.updated, new.updated
    from json_each(new.deliveries) told;
end;

-- More events of a running interaction, by whoever holds its lease.
create view appends as
select id, owner, attempt, last_seq, usage, errors, attachment, null as first_seq, null as payload
from interactions where false;

create trigger append instead of insert on appends begin
    select raise(abort, 'fenced')
    where not exists (select 1 from interactions held
                      where held.id = new.id and held.owner = new.owner and held.attempt = new.attempt
                        and held.erased is null and held.status = 'in_progress');
    update interactions
    set last_seq = new.last_seq, usage = coalesce(new.usage, usage), errors = coalesce(new.errors, errors),
        attachment = coalesce(new.attachment, attachment)
    where id = new.id;
    insert into chunks (interaction, first_seq, last_seq, payload)
    values (new.id, new.first_seq, new.last_seq, new.payload);
end;

-- The end of a running interaction, by whoever holds its lease: its last events, its result, what is to be told.
create view endings as
select id, owner, attempt, last_seq, status, output, usage, errors, updated,
       null as first_seq, null as payload, null as deliveries
from interactions where false;

create trigger ending instead of insert on endings begin
    select raise(abort, 'fenced')
    where not exists (select 1 from interactions held
                      where held.id = new.id and held.owner = new.owner and held.attempt = new.attempt
                        and held.erased is null and held.status = 'in_progress');
    insert into chunks (interaction, first_seq, last_seq, payload)
    select new.id, new.first_seq, new.last_seq, new.payload where new.payload is not null;
    insert into deliveries (id, tenant, webhook, uri, payload, due, created)
    select told.value ->> 'id', ended.tenant, told.value ->> 'webhook', told.value ->> 'uri',
           told.value ->> 'payload', new.updated, new.updated
    from interactions ended, json_each(new.deliveries) told where ended.id = new.id;
    update interactions
    set last_seq = coalesce(new.last_seq, last_seq), status = new.status, output = new.output, usage = new.usage,
        errors = new.errors, updated = new.updated, secrets = null, attachment = null, owner = null,
        lease_until = null
    where id = new.id;
end;
