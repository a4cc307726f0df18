-- Organizations that spend for the first time: their days are summed in the zone they are in now.
insert into tracking_usagezone (organization_id, time_zone)
select o.id, o.time_zone
from budgets_organization o
where not exists (select from tracking_usagezone z where z.organization_id = o.id)
on conflict do nothing
