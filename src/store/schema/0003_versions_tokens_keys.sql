-- Schema 3: versions, tokens, and the answers to requests that may come again.

-- 1 when a record is made, one more with each change; its ETag.
ALTER TABLE leads ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE actions ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE processes ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

-- Who may use a service over this database. While there is none, it is open.
CREATE TABLE crm_tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- given by the database, never given twice
    name       TEXT NOT NULL UNIQUE,              -- given by people
    scope      TEXT NOT NULL,                     -- 'read', 'write' or 'admin'
    start      TEXT NOT NULL,                     -- the first letters of the secret
    hash       TEXT NOT NULL UNIQUE,              -- its SHA-256 in hexadecimal digits; the secret itself is kept nowhere
    created_at TEXT NOT NULL,                     -- when it was made
    expires_at TEXT                               -- from when on it is not valid any more, null for never
) STRICT;

-- What was answered under an Idempotency-Key, for a day.
CREATE TABLE crm_idempotency_keys (
    id      TEXT PRIMARY KEY, -- the SHA-256 of the key, of who asked, and of method, path and parameters
    body    TEXT NOT NULL,    -- the SHA-256 of the request's body
    done    TEXT NOT NULL,    -- 'created', 'updated', 'deleted', 'token' or 'revoked'
    version INTEGER NOT NULL, -- of the record as it was then
    answer  TEXT NOT NULL,    -- the record as it was then, as JSON; of a token what may be known of it
    at      TEXT NOT NULL     -- when it was done
) STRICT, WITHOUT ROWID;

CREATE INDEX crm_idempotency_keys_by_at ON crm_idempotency_keys (at);
