-- Schema 9: the changes of a record are found by a table that follows behind the writes.

-- An index would cost each write of an existing record a page somewhere in it, and so a quarter more. This table is filled
-- with thousands of changes at once, in the order of the records.
DROP INDEX crm_changes_by_record;

CREATE TABLE crm_record_changes (
    record_id INTEGER NOT NULL, -- the id of the record, whatever it is
    seq       INTEGER NOT NULL, -- the number of a change
    PRIMARY KEY (record_id, seq)
) WITHOUT ROWID, STRICT;
INSERT INTO crm_record_changes SELECT record_id, seq FROM crm_changes ORDER BY record_id, seq;

-- Up to where it is filled: one row.
CREATE TABLE crm_indexed (
    changes INTEGER NOT NULL -- the highest number of a change that is in crm_record_changes
) STRICT;
INSERT INTO crm_indexed SELECT coalesce(max(seq), 0) FROM crm_changes;

-- The numbers of the changes of a record: those from the table, and those among the newest changes.
CREATE VIEW crm_changes_of AS
    SELECT record_id, seq FROM crm_record_changes
    UNION ALL
    SELECT record_id, seq FROM crm_changes WHERE seq > (SELECT changes FROM crm_indexed);
