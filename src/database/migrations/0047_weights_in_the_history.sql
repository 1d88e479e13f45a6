-- What the router is said to have done is held to the same rule as what is wanted.
alter table ml_traffic_history
  add constraint ml_traffic_history_deployment_weights_sum_to_100 check (ml_weights_valid(deployment_weights)),
  add constraint ml_traffic_history_version_weights_sum_to_100 check (ml_weights_valid(version_weights));
alter table ml_rollout_history
  add constraint ml_rollout_history_weights_sum_to_100 check (ml_weights_valid(weights));
