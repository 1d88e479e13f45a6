import { answerSeconds } from "../../agents/model_deployer/ports/model_server_port.ts";
import { limitsEnvironment } from "../../mlops/bentoml/servers/serving_limits.ts";
import type { ServerSettings } from "../../mlops/kubernetes/server/server_pod.ts";
import type { Configuration } from "../settings/configuration.ts";
import type { KubernetesSettings } from "../settings/engine_settings.ts";

/**
 * A gateway tells when it has accepted a route, and not when its proxies have it: servers answer on for this long.
 */
const GATEWAY_DRAIN_DELAY_SECONDS = 30;

/** How the servers of a cluster are made and ended. */
export function serverSettings(
  { limits, serving, logs }: Pick<Configuration, "limits" | "serving" | "logs">,
  { installation, pullSecret, controlPlane, router }: KubernetesSettings,
): ServerSettings {
  return {
    installation,
    pullSecret,
    controlPlane,
    gatewayPods: router.kind === "gateway" ? router.podsNamespace : null,
    drainDelaySeconds: router.kind === "gateway" ? GATEWAY_DRAIN_DELAY_SECONDS : 0,
    startSeconds: limits.startSeconds,
    graceSeconds: answerSeconds(serving.predictionSeconds) + 1,
    environment: limitsEnvironment({ ...serving, logs }),
  };
}
