-- Schema 6 of PostgreSQL: every change of a record.

-- Number 0 is never given, so that every label below is smaller than the number that is given after it.
CREATE SEQUENCE crm_changes_seq MINVALUE 0 START 0;
SELECT nextval('crm_changes_seq');

-- One row a change, written in the transaction of the change.
CREATE TABLE crm_changes (
    seq          bigint PRIMARY KEY,              -- of two changes of one record, the later one has the greater number
    record_id    bigint NOT NULL,                 -- the id of the record
    at           text COLLATE "C" NOT NULL,       -- when it was made
    author       text COLLATE "C" NOT NULL,       -- who made it
    on_behalf_of text COLLATE "C",                -- for whom, in the author's own word
    request_id   text COLLATE "C",                -- the request that made it
    first        bigint,                          -- the first change of its group, null if it is that itself
    undoes       bigint,                          -- the group that it takes back, named by its first change
    operation    text COLLATE "C" NOT NULL,       -- the operation that made it
    type         text COLLATE "C" NOT NULL,       -- what happened to what: lead.created
    version      bigint NOT NULL,                 -- the record's version after it; before it where the record was deleted
    record       text COLLATE "C" NOT NULL,       -- the record as JSON after it; before it where the record was deleted
    previous     text COLLATE "C"                 -- the earlier values of the fields that changed, a JSON object
);

CREATE INDEX crm_changes_by_record ON crm_changes (record_id, seq);

-- Only changes of several records at once, and those that take others back, have an entry.
CREATE INDEX crm_changes_by_group ON crm_changes (first, seq) WHERE first IS NOT NULL;
CREATE INDEX crm_changes_by_undone ON crm_changes (undoes, seq) WHERE undoes IS NOT NULL;

-- The number of the first change of a transaction. Numbers are given before the commit, so a lower number may appear after a
-- higher one. Who reads changes in order has to know which numbers may still appear: those after the lowest label of the
-- locks that writers hold. The label is a number that was given before the lock was taken, so it is below the writer's own.
CREATE FUNCTION crm_next_change() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(6517358, ((SELECT last_value FROM crm_changes_seq) & 2147483647)::int);
    RETURN nextval('crm_changes_seq');
END
$$;

-- The name of this sequence of changes. A restore and a copy give a new one, so that a reader of the old sequence notices.
CREATE TABLE crm_epoch (
    epoch   text COLLATE "C" NOT NULL, -- 16 hexadecimal digits, at random
    removed bigint NOT NULL DEFAULT 0  -- the highest number whose change is not kept any more, 0 if all are
);
INSERT INTO crm_epoch (epoch) SELECT substr(replace(gen_random_uuid()::text, '-', ''), 1, 16);
