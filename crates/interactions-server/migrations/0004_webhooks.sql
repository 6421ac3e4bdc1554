-- Addresses that are told of the end of background work. Times are milliseconds since 1970.
create table webhooks (
    tenant  text    not null,
    id      text    not null,
    uri     text    not null,
    name    text,
    events  text    not null,           -- JSON list of event types
    state   text    not null,
    secrets blob    not null,           -- the signing secrets, encrypted
    created integer not null,
    updated integer not null,
    primary key (tenant, id)
);

-- What is still to be told. A row is written in the transaction that ends its interaction,
-- and goes when it is delivered or given up.
create table deliveries (
    id          text    not null primary key,   -- the `webhook-id`, the same for every try
    tenant      text    not null,
    webhook     text,                           -- null for an address that a request has named
    uri         text    not null,
    payload     text    not null,               -- JSON
    attempt     integer not null default 0,
    due         integer not null,
    owner       text,                           -- who delivers it at present
    lease_until integer,
    created     integer not null
);

create index deliveries_due on deliveries (due);

-- The keys that sign deliveries to addresses which requests have named; callers read the public halves.
create table signing_keys (
    id      text    not null primary key,
    private blob    not null,                   -- PKCS #8, encrypted
    created integer not null
);
