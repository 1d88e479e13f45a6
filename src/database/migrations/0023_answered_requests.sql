-- Requests that came with a key of their caller's, so that one which is sent again is answered and not carried out again.
-- Kept for a day. The answer is sealed, for it may hold a token that is shown once.
create table ml_answered_requests (
  principal text not null references ml_principals (principal),
  request_key text not null check (length(request_key) between 1 and 255),
  -- Of method, path and body.
  payload_hash text not null,
  -- Null while whoever carries it out is at it.
  answer text,
  claimed_at timestamptz not null default clock_timestamp(),
  primary key (principal, request_key)
);
create index ml_answered_requests_age on ml_answered_requests (claimed_at);
