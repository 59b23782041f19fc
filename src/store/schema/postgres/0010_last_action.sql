-- Schema 10 of PostgreSQL: when a lead was contacted last.

-- The newest timestamp of the lead's actions, null if it has none. It follows from the actions, so it is no change of the
-- lead, and has no part in its version.
ALTER TABLE leads ADD COLUMN last_action_at text COLLATE "C";

-- What another program writes to any other column counts.
DROP TRIGGER leads_count_version ON leads;
CREATE TRIGGER leads_count_version
    BEFORE UPDATE OF id, email, name, status, attributes, created_at, updated_at, version ON leads FOR EACH ROW
    WHEN (NEW.version <= OLD.version OR NEW.version > 4611686018427387904 OR NEW.id <> OLD.id)
    EXECUTE FUNCTION crm_count_version();

CREATE INDEX actions_by_lead_and_time ON actions (lead_id, timestamp);
UPDATE leads SET last_action_at = newest.at
FROM (SELECT lead_id, max(timestamp) AS at FROM actions GROUP BY lead_id) AS newest WHERE newest.lead_id = leads.id;
CREATE INDEX leads_by_last_action ON leads (last_action_at NULLS FIRST, id);
