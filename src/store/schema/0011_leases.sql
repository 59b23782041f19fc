-- Schema 11: leases, which give a due follow-up to one worker for a while.

-- At most one row a process. It counts while `until` is to come, the process is open, and its follow-up is still due at `due`.
CREATE TABLE crm_leases (
    process INTEGER PRIMARY KEY REFERENCES processes (id) ON DELETE CASCADE, -- the process whose follow-up it is
    hash    TEXT NOT NULL,    -- SHA-256 of the secret word, in hexadecimal digits
    worker  TEXT NOT NULL,    -- who has it
    due     TEXT NOT NULL,    -- when the follow-up was due as it was claimed, empty if it had no date
    seconds INTEGER NOT NULL, -- how long it was asked for, for a renewal without a duration
    until   TEXT NOT NULL     -- when it ends
) STRICT;

CREATE INDEX crm_leases_by_until ON crm_leases (until);
CREATE INDEX crm_leases_by_hash ON crm_leases (hash);
