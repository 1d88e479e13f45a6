/** One kind of object and what the deployer does with it in its namespace; everything else is refused to it. */
export interface NeededRight {
  group: string;
  resource: string;
  verbs: readonly string[];
}

/**
 * The least rights: what is made, read, marked and deleted, and the way to a pod's own answers and log. The list is what
 * `manifests` grants and `doctor` asks for.
 */
export const neededRights: readonly NeededRight[] = [
  { group: "apps", resource: "deployments", verbs: ["get", "list", "create", "patch", "delete"] },
  { group: "", resource: "services", verbs: ["get", "list", "create", "delete"] },
  { group: "networking.k8s.io", resource: "networkpolicies", verbs: ["get", "create", "delete"] },
  { group: "policy", resource: "poddisruptionbudgets", verbs: ["get", "create", "delete"] },
  { group: "autoscaling", resource: "horizontalpodautoscalers", verbs: ["get", "create", "delete"] },
  { group: "", resource: "configmaps", verbs: ["get", "create", "patch"] },
  { group: "", resource: "pods", verbs: ["list", "patch", "delete"] },
  { group: "", resource: "pods/log", verbs: ["get"] },
  { group: "", resource: "pods/proxy", verbs: ["get", "create"] },
];

/** The further rights for a gateway in front, in the servers' namespace. */
export const gatewayRights: readonly NeededRight[] = [
  { group: "gateway.networking.k8s.io", resource: "httproutes", verbs: ["get", "list", "create", "patch"] },
];

/** Whether a gateway's class says what it supports is read where it is: in the gateway's namespace, and in none. */
export const gatewayReadings = {
  gateway: { group: "gateway.networking.k8s.io", resource: "gateways", verbs: ["get"] },
  class: { group: "gateway.networking.k8s.io", resource: "gatewayclasses", verbs: ["get"] },
} as const;
