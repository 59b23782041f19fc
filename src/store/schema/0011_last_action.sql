-- Schema 11: when a lead was contacted last.

-- The newest timestamp of the lead's actions, null if it has none. It follows from the actions, so it is no change of the
-- lead, and has no part in its version.
ALTER TABLE leads ADD COLUMN last_action_at TEXT;

-- What another program writes to any other column counts.
DROP TRIGGER leads_count_version;
CREATE TRIGGER leads_count_version AFTER UPDATE OF id, email, name, status, attributes, created_at, updated_at, version ON leads
WHEN NEW.version <= OLD.version OR NEW.version > 4611686018427387904 OR NEW.id <> OLD.id
BEGIN
    UPDATE leads SET version = CASE WHEN NEW.id = OLD.id AND OLD.version < 4611686018427387904
        THEN OLD.version + 1 ELSE 4294967296 + abs(random() % 281470681743360) END WHERE id = NEW.id;
END;

CREATE INDEX actions_by_lead_and_time ON actions (lead_id, timestamp);
UPDATE leads SET last_action_at = (SELECT max(timestamp) FROM actions WHERE lead_id = leads.id)
WHERE EXISTS (SELECT 1 FROM actions WHERE lead_id = leads.id);
CREATE INDEX leads_by_last_action ON leads (last_action_at);
