-- Schema 10 of PostgreSQL: leases, which give a due follow-up to one worker for a while.

-- At most one row a process. It counts while `until` is to come, the process is open, and its follow-up is still due at `due`.
CREATE TABLE crm_leases (
    process bigint PRIMARY KEY REFERENCES processes (id) ON DELETE CASCADE, -- the process whose follow-up it is
    hash    text COLLATE "C" NOT NULL, -- SHA-256 of the secret word, in hexadecimal digits
    worker  text COLLATE "C" NOT NULL, -- who has it
    due     text COLLATE "C" NOT NULL, -- when the follow-up was due as it was claimed, empty if it had no date
    seconds bigint NOT NULL,           -- how long it was asked for, for a renewal without a duration
    until   text COLLATE "C" NOT NULL  -- when it ends
);

CREATE INDEX crm_leases_by_until ON crm_leases (until);
CREATE INDEX crm_leases_by_hash ON crm_leases (hash);

-- The time of the database in the form in which times are stored. The clocks of the replicas of a service may differ, so leases
-- begin and end by this one.
CREATE FUNCTION crm_now() RETURNS text STABLE LANGUAGE sql AS $$
    SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') COLLATE "C"
$$;
