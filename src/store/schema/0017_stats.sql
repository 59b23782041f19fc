-- Schema 17: indexes in which the numbers of where we stand are counted, a word and a span of time at once.

-- New actions of a type are at the end of their part, so that writes share a few pages. The conditions hold for all rows.
-- Lists do not have them, so that none takes such an index for a filter and then sorts all that it finds.
CREATE INDEX actions_by_type_and_time ON actions (action_type, timestamp) WHERE id > 0;
CREATE INDEX processes_by_status_and_time ON processes (status, next_followup_datetime) WHERE id > 0;
