-- Schema 12 of PostgreSQL: follow-ups whose time has come are announced, once each.

-- The follow-ups that were announced, or that were due before there were announcements. A follow-up that is moved away and
-- back to the same time is found here. A row outlives its process, which an undo may restore.
CREATE TABLE crm_announced (
    process_id bigint NOT NULL,           -- the process
    due        text COLLATE "C" NOT NULL, -- the time of its follow-up
    PRIMARY KEY (process_id, due)
);
INSERT INTO crm_announced (process_id, due)
SELECT id, next_followup_datetime FROM processes
WHERE next_followup_datetime <= to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS');

-- The follow-up and the status with which the process was looked at when the time had come. It makes the index below, which
-- has only the follow-ups that nobody has looked at. It is no part of the record.
ALTER TABLE processes ADD COLUMN due_seen text COLLATE "C";
CREATE INDEX processes_by_due ON processes (next_followup_datetime)
WHERE next_followup_datetime IS NOT NULL
AND due_seen IS DISTINCT FROM (next_followup_datetime || ' ' || status);

-- As before, but a look does not count as a change of the record.
DROP TRIGGER processes_count_version ON processes;
CREATE TRIGGER processes_count_version BEFORE UPDATE ON processes FOR EACH ROW
    WHEN ((NEW.version <= OLD.version OR NEW.version > 4611686018427387904 OR NEW.id <> OLD.id)
        AND NEW.due_seen IS NOT DISTINCT FROM OLD.due_seen)
    EXECUTE FUNCTION crm_count_version();
