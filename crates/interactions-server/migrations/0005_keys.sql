-- Keys of callers, beside those of the configuration. Only digests are kept; a revoked key leaves no row.
create table api_keys (
    id      text    not null primary key,
    tenant  text    not null,
    name    text    not null,
    digest  text    not null unique,    -- SHA-256 in hexadecimal
    created integer not null            -- milliseconds since 1970
);
