-- Schema 4 of PostgreSQL: a record that another program makes anew does not get a version that the old one had.
--
-- crm gives the version of a new record itself. Another program that deletes a record and inserts one with the same id
-- would begin at 1 again. So its records start at a random version, which is unlikely to be drawn twice, and so does a
-- record that is moved to another id. A version beyond 2^62 could not be counted up for long.
CREATE OR REPLACE FUNCTION crm_count_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = OLD.id AND OLD.version < 4611686018427387904 THEN
        NEW.version := OLD.version + 1;
    ELSE
        NEW.version := 4294967296 + floor(random() * 281470681743360)::bigint;
    END IF;
    RETURN NEW;
END
$$;
CREATE FUNCTION crm_bound_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := 4294967296 + floor(random() * 281470681743360)::bigint;
    RETURN NEW;
END
$$;
ALTER TABLE leads ALTER COLUMN version SET DEFAULT (4294967296 + floor(random() * 281470681743360)::bigint);
DROP TRIGGER leads_count_version ON leads;
CREATE TRIGGER leads_count_version BEFORE UPDATE ON leads FOR EACH ROW
    WHEN (NEW.version <= OLD.version OR NEW.version > 4611686018427387904 OR NEW.id <> OLD.id)
    EXECUTE FUNCTION crm_count_version();
CREATE TRIGGER leads_bound_version BEFORE INSERT ON leads FOR EACH ROW
    WHEN (NEW.version NOT BETWEEN 1 AND 4611686018427387904) EXECUTE FUNCTION crm_bound_version();
ALTER TABLE actions ALTER COLUMN version SET DEFAULT (4294967296 + floor(random() * 281470681743360)::bigint);
DROP TRIGGER actions_count_version ON actions;
CREATE TRIGGER actions_count_version BEFORE UPDATE ON actions FOR EACH ROW
    WHEN (NEW.version <= OLD.version OR NEW.version > 4611686018427387904 OR NEW.id <> OLD.id)
    EXECUTE FUNCTION crm_count_version();
CREATE TRIGGER actions_bound_version BEFORE INSERT ON actions FOR EACH ROW
    WHEN (NEW.version NOT BETWEEN 1 AND 4611686018427387904) EXECUTE FUNCTION crm_bound_version();
ALTER TABLE processes ALTER COLUMN version SET DEFAULT (4294967296 + floor(random() * 281470681743360)::bigint);
DROP TRIGGER processes_count_version ON processes;
CREATE TRIGGER processes_count_version BEFORE UPDATE ON processes FOR EACH ROW
    WHEN (NEW.version <= OLD.version OR NEW.version > 4611686018427387904 OR NEW.id <> OLD.id)
    EXECUTE FUNCTION crm_count_version();
CREATE TRIGGER processes_bound_version BEFORE INSERT ON processes FOR EACH ROW
    WHEN (NEW.version NOT BETWEEN 1 AND 4611686018427387904) EXECUTE FUNCTION crm_bound_version();
