-- Schema 18: what was answered to the lines of bulk requests under an Idempotency-Key, until a day after the last one.

CREATE TABLE crm_bulk_runs (
    id       TEXT PRIMARY KEY,  -- the SHA-256 of the key, of who asked, and of method, path and parameters
    lines    INTEGER NOT NULL,  -- how many lines are answered
    changes  INTEGER,           -- the group of its changes, null before the first
    is_ended INTEGER NOT NULL,  -- 1 if there were no more lines
    at       TEXT NOT NULL      -- when the last lines were answered
) STRICT, WITHOUT ROWID;

CREATE INDEX crm_bulk_runs_by_at ON crm_bulk_runs (at);

-- The lines that were answered in one transaction. It has the answers too, so neither exists without the other.
CREATE TABLE crm_bulk_portions (
    run      TEXT NOT NULL REFERENCES crm_bulk_runs (id) ON DELETE CASCADE,
    before   INTEGER NOT NULL,  -- how many lines of the run came before
    lines    INTEGER NOT NULL,  -- how many lines it has
    hash     TEXT NOT NULL,     -- the SHA-256 of the lines
    answers  TEXT NOT NULL,     -- what was done with each: a letter, an id and a version
    refusals TEXT NOT NULL,     -- why lines were refused, as JSON
    PRIMARY KEY (run, before)
) STRICT;
