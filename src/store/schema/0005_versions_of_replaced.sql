-- Schema 5: a record that another program replaces does not get a version that the old one had.
--
-- REPLACE deletes a row without any trigger and inserts another, whose version would be 1 again, or the one that it was
-- copied with. So a row with an id that was given before starts at a random version, which is unlikely to be drawn twice,
-- and so does a row that is moved to another id. A version beyond 2^62 could not be counted up for long.
DROP TRIGGER leads_count_version;
CREATE TRIGGER leads_count_version AFTER UPDATE ON leads
WHEN NEW.version <= OLD.version OR NEW.version > 4611686018427387904 OR NEW.id <> OLD.id
BEGIN
    UPDATE leads SET version = CASE WHEN NEW.id = OLD.id AND OLD.version < 4611686018427387904
        THEN OLD.version + 1 ELSE 4294967296 + abs(random() % 281470681743360) END WHERE id = NEW.id;
END;
CREATE TRIGGER leads_start_version AFTER INSERT ON leads
WHEN NEW.id <= (SELECT seq FROM sqlite_sequence WHERE name = 'leads') OR NEW.version NOT BETWEEN 1 AND 4611686018427387904
BEGIN
    UPDATE leads SET version = 4294967296 + abs(random() % 281470681743360) WHERE id = NEW.id;
END;
DROP TRIGGER actions_count_version;
CREATE TRIGGER actions_count_version AFTER UPDATE ON actions
WHEN NEW.version <= OLD.version OR NEW.version > 4611686018427387904 OR NEW.id <> OLD.id
BEGIN
    UPDATE actions SET version = CASE WHEN NEW.id = OLD.id AND OLD.version < 4611686018427387904
        THEN OLD.version + 1 ELSE 4294967296 + abs(random() % 281470681743360) END WHERE id = NEW.id;
END;
CREATE TRIGGER actions_start_version AFTER INSERT ON actions
WHEN NEW.id <= (SELECT seq FROM sqlite_sequence WHERE name = 'actions') OR NEW.version NOT BETWEEN 1 AND 4611686018427387904
BEGIN
    UPDATE actions SET version = 4294967296 + abs(random() % 281470681743360) WHERE id = NEW.id;
END;
DROP TRIGGER processes_count_version;
CREATE TRIGGER processes_count_version AFTER UPDATE ON processes
WHEN NEW.version <= OLD.version OR NEW.version > 4611686018427387904 OR NEW.id <> OLD.id
BEGIN
    UPDATE processes SET version = CASE WHEN NEW.id = OLD.id AND OLD.version < 4611686018427387904
        THEN OLD.version + 1 ELSE 4294967296 + abs(random() % 281470681743360) END WHERE id = NEW.id;
END;
CREATE TRIGGER processes_start_version AFTER INSERT ON processes
WHEN NEW.id <= (SELECT seq FROM sqlite_sequence WHERE name = 'processes') OR NEW.version NOT BETWEEN 1 AND 4611686018427387904
BEGIN
    UPDATE processes SET version = 4294967296 + abs(random() % 281470681743360) WHERE id = NEW.id;
END;
