-- A repair that nobody asked for: whoever does ask for something takes the lease from it.
alter table ml_leases add column background boolean not null default false;
