-- Of the requests that a shadow answered as well, those that production failed, and production's counters as last read.
alter table ml_shadow_evidence
  add column production_errors bigint not null default 0 check (production_errors >= 0),
  add column production_seen jsonb not null default '[]';
