-- Schema 10: the cadence of a process.

-- After how many days a logged action is followed up, from 1 to 3,650; null for the setting of the service.
ALTER TABLE processes ADD COLUMN cadence_days INTEGER;
