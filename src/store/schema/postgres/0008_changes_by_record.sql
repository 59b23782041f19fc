-- Schema 8 of PostgreSQL: the numbers of the changes of a record under a name that the rules use on every database.

CREATE VIEW crm_changes_of AS SELECT record_id, seq FROM crm_changes;

-- The statement that appends a change takes the lock itself, which costs half as much as a call of this function.
DROP FUNCTION crm_next_change();
