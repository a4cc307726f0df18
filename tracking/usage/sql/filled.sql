-- How far the rollups go, and in which time zone the days of an organization are summed, if they are.
select f.entry_id, f.record_id,
  (select time_zone from tracking_usagezone where organization_id = %(organization)s)
from tracking_fillstate f
