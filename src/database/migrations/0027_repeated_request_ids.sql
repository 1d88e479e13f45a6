-- Callers choose their request ids. Once one has made a pair, its shadow's line stays until nobody would wait for the other
-- one any more, so that a request that comes again under it makes no second pair; neither does one that came twice before.
alter table ml_unpaired_predictions
  add column answered_at timestamptz,
  add column is_repeated boolean not null default false,
  add column paired_at timestamptz;
alter table ml_shadow_comparisons
  add column repeated_ids bigint not null default 0 check (repeated_ids >= 0);

-- A request id may pass through several endpoints, and something else may turn out to be true for each.
alter table ml_outcomes drop constraint ml_outcomes_pkey;
create unique index ml_outcomes_request on ml_outcomes (request_id, (coalesce(endpoint_name, '')));
