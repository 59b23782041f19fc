-- Schema 4: a change by another program counts too.
--
-- crm counts the version up in the statement that changes a record. Who changes one by SQL of their own and leaves the
-- version as it was, or writes an older one back with all they have read, would let its ETag stand for two contents:
-- these count it up for them.
CREATE TRIGGER leads_count_version AFTER UPDATE ON leads WHEN NEW.version <= OLD.version
BEGIN
    UPDATE leads SET version = OLD.version + 1 WHERE id = NEW.id;
END;
CREATE TRIGGER actions_count_version AFTER UPDATE ON actions WHEN NEW.version <= OLD.version
BEGIN
    UPDATE actions SET version = OLD.version + 1 WHERE id = NEW.id;
END;
CREATE TRIGGER processes_count_version AFTER UPDATE ON processes WHEN NEW.version <= OLD.version
BEGIN
    UPDATE processes SET version = OLD.version + 1 WHERE id = NEW.id;
END;
