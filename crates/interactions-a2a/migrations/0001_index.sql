-- Tasks as a host of A2A agents keeps them. What they told is not here: the executor tells it again.
-- Times are milliseconds since 1970, UTC.

-- Who made the file ("A2AI"), so that no other program's tables are taken for these.
pragma application_id = 1093812553;

create table tasks (
    owner      text    not null, -- owner and agent are the scope; nothing is found without it
    agent      text    not null,
    id         text    not null,
    context    text    not null, -- the conversation
    message    text    not null, -- id of the message that began it
    state      text    not null, -- as the protocol writes it
    place      integer not null, -- grows with every task of the conversation that comes into this state
    status_at  integer not null, -- since when it is in this state
    created    integer not null,
    turns      integer not null, -- how many
    terminal   integer not null, -- 1 when nothing happens to it any more
    unfinished integer not null, -- 1 while something is or will be at work for it
    version    integer not null,
    record     text    not null, -- JSON of the whole; the columns before it are there to be searched
    primary key (owner, agent, id)
);

create unique index tasks_message on tasks (owner, agent, message);
create index tasks_place on tasks (owner, agent, context, state, place);
create index tasks_newest on tasks (owner, agent, status_at desc, id desc);
create index tasks_newest_of_context on tasks (owner, agent, context, status_at desc, id desc);
create index tasks_newest_of_state on tasks (owner, agent, state, status_at desc, id desc);
create index tasks_unfinished on tasks (created, id) where unfinished = 1;

create table pushes (
    owner   text    not null,
    agent   text    not null,
    task    text    not null,
    id      text    not null,
    url     text    not null,
    sealed  blob    not null, -- token and credentials, encrypted by the host
    turn    integer not null, -- how far it was served: so many updates of this turn
    updates integer not null,
    ended   integer not null, -- 1 when the end of the turn was told too
    primary key (owner, agent, task, id)
) without rowid;
