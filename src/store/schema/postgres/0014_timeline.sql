-- Schema 14 of PostgreSQL: the actions and processes that a lead once had, for its timeline.

-- Only deletes have an entry, so that other writes cost nothing more. The first place with these letters is the field: in a
-- text the quotes are escaped, and the user's own fields come later.
CREATE INDEX crm_changes_by_removed ON crm_changes (substring(record FROM '"lead_id":([0-9]+|null)'))
    WHERE type IN ('action.deleted', 'process.deleted');
