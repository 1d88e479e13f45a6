-- Which workers there are, and when each was last seen; for whoever asks whether anybody takes the steps.
create table ml_workers (
  worker text primary key,
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);
create index ml_workers_seen on ml_workers (seen_at desc);
