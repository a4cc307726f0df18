-- What every active alias stands for, the targets of each in their order.
select a.name, a.organization_id, a.falls_back_on_failure, a.falls_back_on_budget,
  m.name, t.position, t.weight, t.provider_id, t.name_at_provider
from tracking_alias a
join tracking_aliastarget t on t.alias_id = a.id
join tracking_catalogmodel m on m.id = t.model_id
where a.active order by a.id, t.position, t.id
