-- Schema 16: leads that were merged, and leads that are no duplicates of each other.

-- The deletes of leads: what a lead that is gone was merged into. Only they have an entry, so that other writes cost nothing
-- more, and whoever asks for an id that never was looks once.
CREATE INDEX crm_changes_by_deleted_lead ON crm_changes (record_id) WHERE type = 'lead.deleted';

-- Pairs of leads that somebody has looked at and found to be two persons. A row outlives its leads, which an undo may restore.
CREATE TABLE crm_dismissed (
    one     INTEGER NOT NULL, -- the lower id
    other   INTEGER NOT NULL, -- the higher id
    through INTEGER NOT NULL, -- 0; or the lead whose pair it was before it was merged into one of them, while that is gone
    at      TEXT NOT NULL,    -- when it was dismissed
    author  TEXT NOT NULL,    -- who dismissed it
    PRIMARY KEY (one, other, through)
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_dismissed_by_other ON crm_dismissed (other);
