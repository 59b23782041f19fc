-- Schema 15: the actions and processes that a lead once had, for its timeline.

-- Only deletes have an entry, so that other writes cost nothing more.
CREATE INDEX crm_changes_by_removed ON crm_changes (
    CASE WHEN json_valid(record) THEN json_extract(record, '$.lead_id') END
) WHERE type IN ('action.deleted', 'process.deleted');
