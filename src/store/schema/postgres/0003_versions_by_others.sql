-- Schema 3 of PostgreSQL: a change by another program counts too.
--
-- crm counts the version up in the statement that changes a record. Who changes one by SQL of their own and leaves the
-- version as it was, or writes an older one back with all they have read, would let its ETag stand for two contents:
-- these count it up for them.
CREATE FUNCTION crm_count_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$$;
CREATE TRIGGER leads_count_version BEFORE UPDATE ON leads FOR EACH ROW
    WHEN (NEW.version <= OLD.version) EXECUTE FUNCTION crm_count_version();
CREATE TRIGGER actions_count_version BEFORE UPDATE ON actions FOR EACH ROW
    WHEN (NEW.version <= OLD.version) EXECUTE FUNCTION crm_count_version();
CREATE TRIGGER processes_count_version BEFORE UPDATE ON processes FOR EACH ROW
    WHEN (NEW.version <= OLD.version) EXECUTE FUNCTION crm_count_version();
