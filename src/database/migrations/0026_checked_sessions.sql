-- What a session's groups are asked for anew by at its provider, sealed by a key that the database does not have. It changes
-- with each answer of the provider's, and is gone with its session.
create table ml_session_renewals (
  token_sha256 text primary key references ml_tokens (token_sha256),
  -- The provider and its subject, as in ml_logins.
  provider text not null,
  subject text not null,
  renewal text not null,
  asked_at timestamptz not null default clock_timestamp()
);
