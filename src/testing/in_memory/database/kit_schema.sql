-- Run before the migrations, on a server whose search path begins with this schema, so that all tables lie in it.
create schema deployer;

-- The time, for the migrations and for the deployer's statements, which find it here before they find pg_catalog's. Each
-- reading is a microsecond later than the one before.
create sequence deployer.instants as bigint;
grant usage on sequence deployer.instants to public;
create function deployer.clock_timestamp() returns timestamptz language sql volatile as $$
  select timestamptz 'epoch' + interval '1 microsecond' * nextval('deployer.instants')
$$;
