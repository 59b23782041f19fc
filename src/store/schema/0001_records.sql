-- Schema 1: leads, actions and processes.
--
-- Applied files are never edited: a change of the schema is a file of its own with the next number.
-- Times are UTC texts of the form YYYY-MM-DD HH:MM:SS, so that their text order is their time order.
-- AUTOINCREMENT keeps an id from being given twice, also after a delete.

-- A person to win.
CREATE TABLE leads (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,  -- given by the database, never given twice
    email      TEXT NOT NULL,                      -- trimmed and in lower case; not unique
    name       TEXT,                               -- the person's name
    status     TEXT NOT NULL,                      -- how far it is, a free word; 'new' at first
    attributes TEXT NOT NULL,                      -- the user's own fields, a JSON object as compact text
    created_at TEXT NOT NULL,                      -- when the record was made
    updated_at TEXT NOT NULL                       -- when the record was last changed
) STRICT;

-- Something done with a lead.
CREATE TABLE actions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- given by the database, never given twice
    lead_id     INTEGER REFERENCES leads (id),     -- the lead it was done with; a lead with actions is not deleted
    action_type TEXT NOT NULL,                     -- what was done, a free word
    details     TEXT,                              -- what it was about; once called description
    timestamp   TEXT NOT NULL,                     -- when it happened
    attributes  TEXT NOT NULL,                     -- the user's own fields, a JSON object as compact text
    created_at  TEXT NOT NULL,                     -- when the record was made
    updated_at  TEXT NOT NULL                      -- when the record was last changed
) STRICT;

-- A sequence of follow-ups, and the date of the next one.
CREATE TABLE processes (
    id                     INTEGER PRIMARY KEY AUTOINCREMENT, -- given by the database, never given twice
    name                   TEXT NOT NULL,                     -- what the process is called
    lead_id                INTEGER REFERENCES leads (id),     -- the lead it is about; a lead with processes is not deleted
    channel                TEXT,                              -- how the lead is reached, a free word
    last_action_id         INTEGER REFERENCES actions (id) ON DELETE SET NULL, -- what was done last
    next_followup_datetime TEXT,                              -- when the next follow-up is due
    status                 TEXT NOT NULL,                     -- how far it is, a free word; 'active' at first
    attributes             TEXT NOT NULL,                     -- the user's own fields, a JSON object as compact text
    created_at             TEXT NOT NULL,                     -- when the record was made
    updated_at             TEXT NOT NULL                      -- when the record was last changed
) STRICT;

-- One row, written when somebody asks whether the database takes writes and nothing else was written lately.
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1), -- the one row
    at TEXT NOT NULL                       -- when it was last written
) STRICT;

-- lower() is for addresses older than the rule that stores them in lower case.
CREATE INDEX leads_by_email ON leads (lower(email));
CREATE INDEX leads_by_status ON leads (status);
CREATE INDEX leads_by_created_at ON leads (created_at);
CREATE INDEX actions_by_lead ON actions (lead_id);
CREATE INDEX actions_by_timestamp ON actions (timestamp);
CREATE INDEX processes_by_lead ON processes (lead_id);
CREATE INDEX processes_by_last_action ON processes (last_action_id);
CREATE INDEX processes_by_next_followup ON processes (next_followup_datetime);
