-- Agents that callers keep under a name.
create table agents (
    tenant  text    not null,
    id      text    not null,
    body    text    not null,           -- JSON without the secrets of its tools
    secrets blob,                       -- those, encrypted
    created integer not null,           -- milliseconds since 1970
    primary key (tenant, id)
);
