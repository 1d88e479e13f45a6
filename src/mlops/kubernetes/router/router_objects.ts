import canonicalize from "canonicalize";
import { hashOf, MANAGER, MARKS, objectName } from "../server/object_names.ts";
import { confined, unprivileged, DRAIN_DELAY_SECONDS } from "../server/server_pod.ts";
import type { KubernetesObject } from "../server/server_objects.ts";

export interface RouterSettings {
  installation: string;
  /** With Envoy, and `sleep`; by its digest, or a tag that nobody moves. */
  image: string;
  /** Envoys of each endpoint. */
  replicas: number;
  /** Seconds from the start until the first one must be ready. */
  startSeconds: number;
  /** Seconds that requests under way have when a pod is ended. */
  graceSeconds: number;
  /** Addresses of the control plane, which asks pods what is in force; null where the network lets it in anyway. */
  controlPlane: string | null;
  pullSecret: string | null;
}

export const ROUTER = "router";
export const ENVOY_CONTAINER = "envoy";
/** Ports of a pod: callers', and what its Envoy says of itself. */
export const ROUTER_PORTS = { callers: 8080, readings: 9901 } as const;
export const FILES_FOLDER = "/etc/model-deployer";
export const FILE_NAMES = { clusters: "cds.json", routes: "rds.json" } as const;
/** One of the pod's network, told apart from another pod's by its uid. */
export const ADMIN_SOCKET = "@model-deployer-$(POD_UID)";

/** The name of an endpoint's objects, and the first part of its address. */
export function endpointObjectName(installation: string, endpointName: string): string {
  return objectName(installation, `endpoint/${endpointName}`);
}

const labelsOf = ({ installation }: RouterSettings, name: string) => ({
  [MARKS.managedBy]: MANAGER,
  [MARKS.installation]: installation,
  [MARKS.role]: ROUTER,
  [MARKS.endpoint]: name,
});

export function routerFiles(
  name: string,
  { endpoint_name, clusters, routes }: { endpoint_name: string; clusters: string; routes: string },
  settings: RouterSettings,
): Omit<KubernetesObject, "spec"> & { data: Record<string, string> } {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name,
      labels: labelsOf(settings, name),
      annotations: { [MARKS.endpointName]: endpoint_name, [MARKS.claimed]: "0" },
    },
    data: { [FILE_NAMES.clusters]: clusters, [FILE_NAMES.routes]: routes },
  };
}

/** The Envoys of an endpoint. Their number stays with who scales; what they run follows the settings. */
export function routerDeployment(
  name: string,
  { endpoint_name, bootstrap }: { endpoint_name: string; bootstrap: string },
  settings: RouterSettings,
): KubernetesObject {
  const template = podOf(name, bootstrap, settings);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name,
      labels: labelsOf(settings, name),
      annotations: {
        [MARKS.endpointName]: endpoint_name,
        [MARKS.specification]: hashOf(canonicalize(template) ?? ""),
      },
    },
    spec: {
      replicas: settings.replicas,
      selector: { matchLabels: { [MARKS.endpoint]: name } },
      progressDeadlineSeconds: Math.ceil(settings.startSeconds) + DRAIN_DELAY_SECONDS,
      revisionHistoryLimit: 1,
      // One that comes is ready before one goes.
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template,
    },
  };
}

/** The objects that stand beside the Deployment and stay when it goes, so that the endpoint keeps its address. */
export function routerCompanions(
  name: string,
  endpointName: string,
  settings: RouterSettings,
): { plural: string; object: KubernetesObject }[] {
  const annotations = { [MARKS.endpointName]: endpointName };
  const metadata = { name, labels: labelsOf(settings, name), annotations };
  const selected = { [MARKS.endpoint]: name };
  return [
    {
      plural: "services",
      object: {
        apiVersion: "v1",
        kind: "Service",
        metadata,
        spec: {
          selector: selected,
          ports: [{ name: "http", port: 80, targetPort: ROUTER_PORTS.callers, protocol: "TCP" }],
        },
      },
    },
    {
      plural: "poddisruptionbudgets",
      object: {
        apiVersion: "policy/v1",
        kind: "PodDisruptionBudget",
        metadata,
        spec: { maxUnavailable: 1, selector: { matchLabels: selected } },
      },
    },
    {
      plural: "networkpolicies",
      object: {
        apiVersion: "networking.k8s.io/v1",
        kind: "NetworkPolicy",
        metadata,
        spec: policySpec(selected, settings),
      },
    },
  ];
}

/** Anybody may call; what an Envoy says of itself is for workers and a control plane that is named. */
function policySpec(selected: Record<string, string>, settings: RouterSettings): object {
  const { callers, readings } = ROUTER_PORTS;
  const workers = { [MARKS.role]: ROUTER, [MARKS.installation]: settings.installation };
  const plane = settings.controlPlane === null ? [] : [{ ipBlock: { cidr: settings.controlPlane } }];
  const from = [{ podSelector: { matchLabels: workers } }, ...plane];
  return {
    podSelector: { matchLabels: selected },
    policyTypes: ["Ingress"],
    ingress: [
      { ports: [{ port: callers, protocol: "TCP" }] },
      { from, ports: [{ port: readings, protocol: "TCP" }] },
    ],
  };
}

function podOf(name: string, bootstrap: string, settings: RouterSettings): object {
  const spread = (topologyKey: string) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: { [MARKS.endpoint]: name } },
  });
  const items = Object.values(FILE_NAMES).map((key) => ({ key, path: key }));
  return {
    metadata: { labels: labelsOf(settings, name) },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...(settings.pullSecret !== null && { imagePullSecrets: [{ name: settings.pullSecret }] }),
      terminationGracePeriodSeconds: settings.graceSeconds + 2 * DRAIN_DELAY_SECONDS,
      securityContext: unprivileged,
      topologySpreadConstraints: [spread("kubernetes.io/hostname"), spread("topology.kubernetes.io/zone")],
      containers: [envoyContainer(bootstrap, settings)],
      volumes: [{ name: "files", configMap: { name, items } }],
    },
  };
}

function envoyContainer(bootstrap: string, { image, graceSeconds }: RouterSettings): object {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const probe = (more: object) => ({
    httpGet: { path: "/ready", port: ROUTER_PORTS.readings },
    timeoutSeconds: 5,
    ...more,
  });
  return {
    name: ENVOY_CONTAINER,
    image,
    command: ["envoy"],
    args: [
      ...["--config-yaml", bootstrap, "--service-node", "$(POD_UID)"],
      ...["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"],
    ],
    env: [field("POD_UID", "metadata.uid"), field("POD_IP", "status.podIP")],
    ports: [
      { name: "http", containerPort: ROUTER_PORTS.callers, protocol: "TCP" },
      { name: "readings", containerPort: ROUTER_PORTS.readings, protocol: "TCP" },
    ],
    resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { memory: "512Mi" } },
    startupProbe: probe({ periodSeconds: 1, failureThreshold: 60 }),
    readinessProbe: probe({ periodSeconds: 2, failureThreshold: 2 }),
    livenessProbe: probe({ periodSeconds: 15, failureThreshold: 3 }),
    // Envoy ends at once where it is told to; until then nobody finds it any more, and it answers what it has.
    lifecycle: { preStop: { exec: { command: ["sleep", String(graceSeconds + DRAIN_DELAY_SECONDS)] } } },
    securityContext: confined,
    volumeMounts: [{ name: "files", mountPath: FILES_FOLDER, readOnly: true }],
  };
}
