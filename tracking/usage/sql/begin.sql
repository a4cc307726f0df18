-- Nothing is filled yet. Rows of the present quarter and day are added to all the time: room on each
-- page keeps their new versions beside the old ones.
insert into tracking_fillstate (id, entry_id, record_id) values (1, 0, 0) on conflict do nothing;
alter table tracking_quarterhourusage set (fillfactor = 85);
alter table tracking_dayusage set (fillfactor = 70);
alter table tracking_labelusage set (fillfactor = 85);
