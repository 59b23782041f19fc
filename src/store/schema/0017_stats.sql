-- Schema 17: the actions of a type by time, which the numbers of where we stand are counted in.

-- New actions of a type are at the end of their part, so that writes share a few pages.
CREATE INDEX actions_by_type_and_time ON actions (action_type, timestamp);
