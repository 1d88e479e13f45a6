-- The engine on which new deployments of an endpoint are made, by its stage; one that is not named has the installation's.
alter table ml_gate_policies add column engines jsonb not null default '{}' check (jsonb_typeof(engines) = 'object');

-- The engine that a deployment was made on, and the one whose router an endpoint was opened at, both for life. Null in rows
-- from before: the installation's usual one.
alter table ml_deployments add column engine text check (engine in ('local', 'kubernetes', 'bentocloud'));
alter table ml_endpoints add column engine text check (engine in ('local', 'kubernetes', 'bentocloud'));
