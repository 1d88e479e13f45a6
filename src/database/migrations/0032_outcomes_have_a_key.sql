-- What is replicated or changed by row needs a key, and a request's id is none since several endpoints may name it.
alter table ml_outcomes add column outcome_id bigint generated always as identity primary key;
