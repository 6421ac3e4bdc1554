-- An interaction is its own job: status, lease and result change in one row and one transaction.
-- Times are milliseconds since 1970, UTC. Columns in JSON are text, so that another database can hold them.
create table interactions (
    id               text    not null primary key,
    tenant           text    not null,
    parent           text,
    model            text,
    agent            text,
    status           text    not null,
    background       integer not null,
    request          text,              -- JSON without secrets and input; null once erased
    secrets          blob,              -- encrypted headers of MCP servers; null once terminal
    input            text,              -- JSON list of steps
    output           text,              -- JSON list of steps
    usage            text,              -- JSON object
    errors           text,              -- JSON list
    attempt          integer not null default 1,
    crashes          integer not null default 0, -- attempts that ended without a word
    owner            text,              -- who runs it, while it runs; null when it was handed back
    lease_until      integer,
    cancel_requested integer not null default 0,
    last_seq         integer not null default 0,
    created          integer not null,
    updated          integer not null,
    expires          integer,
    erased           integer            -- when it was erased; the row stays as a tombstone in the tree
);

create index interactions_newest on interactions (tenant, created desc, id desc);
create index interactions_running on interactions (lease_until) where status = 'in_progress';
create index interactions_expiring on interactions (expires) where expires is not null;

-- The event log, in chunks as they were committed. A payload has one line per event: its type, a space, its JSON.
create table chunks (
    interaction text    not null,
    first_seq   integer not null,
    last_seq    integer not null,
    payload     text    not null,
    primary key (interaction, first_seq)
) without rowid;
