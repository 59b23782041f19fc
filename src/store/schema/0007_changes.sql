-- Schema 7: every change of a record.

-- One row a change, written in the transaction of the change.
CREATE TABLE crm_changes (
    seq          INTEGER PRIMARY KEY, -- in the order of the commits; the newest is never removed, so no number is given twice
    record_id    INTEGER NOT NULL,    -- the id of the record
    at           TEXT NOT NULL,       -- when it was made
    author       TEXT NOT NULL,       -- who made it
    on_behalf_of TEXT,                -- for whom, in the author's own word
    request_id   TEXT,                -- the request that made it
    first        INTEGER,             -- the first change of its group, null if it is that itself
    undoes       INTEGER,             -- the group that it takes back, named by its first change
    operation    TEXT NOT NULL,       -- the operation that made it
    type         TEXT NOT NULL,       -- what happened to what: lead.created
    version      INTEGER NOT NULL,    -- the record's version after it; before it where the record was deleted
    record       TEXT NOT NULL,       -- the record as JSON after it; before it where the record was deleted
    previous     TEXT                 -- the earlier values of the fields that changed, a JSON object
) STRICT;

-- A page of this index has the entries of some two hundred records, so writes of new records share its last page.
CREATE INDEX crm_changes_by_record ON crm_changes (record_id);

-- Only changes of several records at once, and those that take others back, have an entry.
CREATE INDEX crm_changes_by_group ON crm_changes (first) WHERE first IS NOT NULL;
CREATE INDEX crm_changes_by_undone ON crm_changes (undoes) WHERE undoes IS NOT NULL;

-- The name of this sequence of changes. A restore and a copy give a new one, so that a reader of the old sequence notices.
CREATE TABLE crm_epoch (
    epoch   TEXT NOT NULL,             -- 16 hexadecimal digits, at random
    removed INTEGER NOT NULL DEFAULT 0 -- the highest number whose change is not kept any more, 0 if all are
) STRICT;
INSERT INTO crm_epoch (epoch) VALUES (lower(hex(randomblob(8))));

-- Deleted content stays in free parts of the file until SQLite uses them again. A row is here from the erasure of a record
-- until the file was written anew without it.
CREATE TABLE crm_residue (
    since TEXT NOT NULL -- when the record was erased
) STRICT;
