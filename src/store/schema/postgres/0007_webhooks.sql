-- Schema 7 of PostgreSQL: webhooks, to which the changes are sent.

CREATE TABLE crm_webhooks (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- given by the database, never given twice
    name          text COLLATE "C" NOT NULL UNIQUE,                -- given by people
    url           text COLLATE "C" NOT NULL,                       -- where the changes are sent
    types         text COLLATE "C" NOT NULL,                       -- which ones, comma-separated: lead.*,process.updated
    secret        text COLLATE "C" NOT NULL,                       -- signs every request
    old_secret    text COLLATE "C",                                -- the secret before it, which also signs until old_until
    old_until     text COLLATE "C",                                -- null if there is no such secret
    state         text COLLATE "C" NOT NULL,                       -- 'active', 'paused' or 'gone'
    place         bigint NOT NULL,                                 -- each change up to this one is delivered, given up, or in crm_deliveries
    created_at    text COLLATE "C" NOT NULL,                       -- when it was made
    failing_since text COLLATE "C",                                -- since when nothing was delivered, null if the last try succeeded
    answer        text COLLATE "C",                                -- the result of the last try
    answered_at   text COLLATE "C",                                -- when it was
    wait_until    text COLLATE "C",                                -- nothing is sent before this time, null for no such wish
    given_up      bigint NOT NULL,                                 -- how many changes were given up
    turn          bigint NOT NULL,                                 -- one more each time that the place is set by hand
    owner         text COLLATE "C",                                -- the process that delivers, null if nothing is to be done
    beat          bigint NOT NULL                                  -- one more every second while the owner works
);

-- Only the deliveries that have failed and wait for another try, and the tests that were asked for.
CREATE TABLE crm_deliveries (
    webhook bigint NOT NULL,           -- the webhook
    seq     bigint NOT NULL,           -- the change, 0 for a test
    tries   bigint NOT NULL,           -- how many tries have failed
    due     text COLLATE "C" NOT NULL, -- when the next try is
    since   text COLLATE "C" NOT NULL, -- when the first try was
    PRIMARY KEY (webhook, seq)
);

CREATE INDEX crm_deliveries_by_due ON crm_deliveries (webhook, due);
