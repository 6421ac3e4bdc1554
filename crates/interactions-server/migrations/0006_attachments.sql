-- Where a generation in the background of another server can be taken up again; null once terminal.
alter table interactions add column attachment text;
