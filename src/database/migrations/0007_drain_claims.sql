-- While in the future, one worker is stopping the server: no traffic may be given to it, nor may it become active.
alter table ml_deployments add column stopping_until timestamptz;
