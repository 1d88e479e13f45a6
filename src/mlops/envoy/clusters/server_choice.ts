import { retriedUnseen } from "../route_config.ts";

/**
 * Only where there is a server to go to instead: each is asked once a second whether it is ready, and one that is not, or
 * whose connection has broken, gets nothing until it is. Where none seems ready, all get requests, for a busy machine may
 * make every check late. The fewest open requests decide, so that a slow server gets fewer.
 */
export const balancedServers = {
  lb_policy: "LEAST_REQUEST",
  // By default the second server that breaks within a second gets requests until that second is over.
  common_lb_config: { healthy_panic_threshold: { value: 1 }, update_merge_window: "0s" },
  health_checks: [
    {
      timeout: "2s",
      interval: "1s",
      no_traffic_interval: "1s",
      unhealthy_interval: "1s",
      unhealthy_threshold: 2,
      healthy_threshold: 1,
      http_health_check: { path: "/readyz" },
    },
  ],
  outlier_detection: {
    split_external_local_origin_errors: true,
    consecutive_local_origin_failure: 1,
    enforcing_consecutive_local_origin_failure: 100,
    enforcing_consecutive_5xx: 0,
    enforcing_consecutive_gateway_failure: 0,
    enforcing_success_rate: 0,
    enforcing_local_origin_success_rate: 0,
    max_ejection_percent: 100,
    base_ejection_time: "2s",
    max_ejection_time: "10s",
  },
};

/**
 * Stands for the route's policy. A request whose server breaks off goes to one other server and to no third, so that one
 * that ends whatever it meets ends two at most. The dead server has the fewest open requests and is drawn most often, so
 * many draws are allowed.
 */
export const toAnotherServer = {
  retry_on: `${retriedUnseen},reset`,
  num_retries: 1,
  retry_host_predicate: [
    {
      name: "envoy.retry_host_predicates.previous_hosts",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
      },
    },
  ],
  host_selection_retry_max_attempts: 64,
};

/** At once: half of all requests under way, or as many as one server holds by default, threads and queue (72), and some. */
export const retryBudget = { budget_percent: { value: 50 }, min_retry_concurrency: 100 };
