-- Schema 8: webhooks, to which the changes are sent.

CREATE TABLE crm_webhooks (
    id            INTEGER PRIMARY KEY AUTOINCREMENT, -- given by the database, never given twice
    name          TEXT NOT NULL UNIQUE,              -- given by people
    url           TEXT NOT NULL,                     -- where the changes are sent
    types         TEXT NOT NULL,                     -- which ones, comma-separated: lead.*,process.updated
    secret        TEXT NOT NULL,                     -- signs every request
    old_secret    TEXT,                              -- the secret before it, which also signs until old_until
    old_until     TEXT,                              -- null if there is no such secret
    state         TEXT NOT NULL,                     -- 'active', 'paused' or 'gone'
    place         INTEGER NOT NULL,                  -- each change up to this one is delivered, given up, or in crm_deliveries
    created_at    TEXT NOT NULL,                     -- when it was made
    failing_since TEXT,                              -- since when nothing was delivered, null if the last try succeeded
    answer        TEXT,                              -- the result of the last try
    answered_at   TEXT,                              -- when it was
    wait_until    TEXT,                              -- nothing is sent before this time, null for no such wish
    given_up      INTEGER NOT NULL,                  -- how many changes were given up
    turn          INTEGER NOT NULL,                  -- one more each time that the place is set by hand
    owner         TEXT,                              -- the process that delivers, null if nothing is to be done
    beat          INTEGER NOT NULL                   -- one more every second while the owner works
) STRICT;

-- Only the deliveries that have failed and wait for another try, and the tests that were asked for.
CREATE TABLE crm_deliveries (
    webhook INTEGER NOT NULL, -- the webhook
    seq     INTEGER NOT NULL, -- the change, 0 for a test
    tries   INTEGER NOT NULL, -- how many tries have failed
    due     TEXT NOT NULL,    -- when the next try is
    since   TEXT NOT NULL,    -- when the first try was
    PRIMARY KEY (webhook, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX crm_deliveries_by_due ON crm_deliveries (webhook, due);
