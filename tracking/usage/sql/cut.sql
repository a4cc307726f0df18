-- A position of the ledger behind which nothing will ever be written.
--
-- Ids are given out before transactions end, so the highest id that can be seen may have lower ones
-- still to come. Whoever writes entries shares this lock until their transaction has ended: once it
-- is held alone, all ids given out so far are visible or gone for good.
select pg_advisory_xact_lock(70700, 0)
