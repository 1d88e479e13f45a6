-- The figures that the wanted generation was decided by: they go into the history once the router has acknowledged it.
alter table ml_endpoints add column wanted_metrics jsonb not null default '{}' check (jsonb_typeof(wanted_metrics) = 'object');
alter table ml_endpoints add column wanted_evidence jsonb not null default '{}' check (jsonb_typeof(wanted_evidence) = 'object');

-- What was in production at an instant is the newest row before it, in the order in which rows are asked for.
drop index ml_traffic_history_endpoint;
create index ml_traffic_history_endpoint on ml_traffic_history (endpoint_name, occurred_at desc, generation desc);
