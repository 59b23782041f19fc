-- Schema 2: the newest leads of a status, a page at a time.
--
-- Without it a list of one status by time sorts every lead of that status for each page: seconds, where there are
-- millions. Ties in time are listed by id, which is why the time runs down and the id, which every index ends with, up.
CREATE INDEX leads_by_status_and_newest ON leads (status, created_at DESC);
