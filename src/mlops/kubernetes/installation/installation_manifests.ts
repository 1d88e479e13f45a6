import { gatewayReadings, gatewayRights, type NeededRight, neededRights } from "./cluster_rights.ts";
import { MARKS } from "../server/object_names.ts";

export interface InstallationInput {
  namespace: string;
  installation: string;
  /** An image with Node, Python and this package. */
  image: string;
  /** Variables of the worker besides those that follow from here. */
  environment: Record<string, string>;
  /** Name of a Secret whose keys are variables: DATABASE_URL, REDIS_URL, MLFLOW_TRACKING_URI and their credentials. */
  secret: string;
  /** Name of a Secret with a registry's `config.json`; null where pods pull without one. */
  registrySecret: string | null;
  /** Of somebody's gateway in front; null where the deployer's own routers are. */
  gateway: { name: string; namespace: string } | null;
  /** Whether Prometheus' operator, whose kind it is, reads the worker's metrics. */
  serviceMonitor: boolean;
}

const HOME = "/var/lib/model-deployer";

/** All objects that an installation in a cluster needs, in the order in which they are applied. */
export function installationManifests(input: InstallationInput): Record<string, unknown>[] {
  const { namespace, installation } = input;
  const name = `model-deployer-${installation}`;
  const labels = { "app.kubernetes.io/name": "model-deployer", "app.kubernetes.io/instance": installation };
  const metadata = { name, namespace, labels };
  const account = [{ kind: "ServiceAccount", name, namespace }];
  const role = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name };
  const rules = [...neededRights, ...(input.gateway === null ? [] : gatewayRights)].map(ruleOf);
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    { apiVersion: rbac, kind: "Role", metadata, rules },
    { apiVersion: rbac, kind: "RoleBinding", metadata, roleRef: role, subjects: account },
    ...(input.gateway === null ? [] : gatewayAccess(metadata, input.gateway, account)),
    routerService(metadata),
    worker(metadata, input),
    ...(input.serviceMonitor ? [serviceMonitor(metadata)] : []),
  ];
}

const rbac = "rbac.authorization.k8s.io/v1";
const byRole = { apiGroup: "rbac.authorization.k8s.io" };

function ruleOf({ group, resource, verbs }: NeededRight) {
  return { apiGroups: [group], resources: [resource], verbs };
}

/** To read one Gateway where it is, and what its class says that it supports. */
function gatewayAccess(
  { name, namespace, labels }: Metadata,
  gateway: { name: string; namespace: string },
  subjects: object[],
): Record<string, unknown>[] {
  const cluster = `${namespace}-${name}`;
  const there = { name: cluster, namespace: gateway.namespace, labels };
  const everywhere = { name: cluster, labels };
  const reading = { ...ruleOf(gatewayReadings.gateway), resourceNames: [gateway.name] };
  const role = { ...byRole, kind: "Role", name: cluster };
  const clusterRole = { ...byRole, kind: "ClusterRole", name: cluster };
  return [
    { apiVersion: rbac, kind: "Role", metadata: there, rules: [reading] },
    { apiVersion: rbac, kind: "RoleBinding", metadata: there, roleRef: role, subjects },
    { apiVersion: rbac, kind: "ClusterRole", metadata: everywhere, rules: [ruleOf(gatewayReadings.class)] },
    { apiVersion: rbac, kind: "ClusterRoleBinding", metadata: everywhere, roleRef: clusterRole, subjects },
  ];
}

interface Metadata {
  name: string;
  namespace: string;
  labels: Record<string, string>;
}

/** Without an address of its own, so that its name leads to the pod and each endpoint's port. */
function routerService(metadata: Metadata): Record<string, unknown> {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: {
      clusterIP: "None",
      publishNotReadyAddresses: true,
      selector: metadata.labels,
      ports: [{ name: "metrics", port: 9464, targetPort: 9464, protocol: "TCP" }],
    },
  };
}

function serviceMonitor(metadata: Metadata): Record<string, unknown> {
  return {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "ServiceMonitor",
    metadata,
    spec: {
      selector: { matchLabels: metadata.labels },
      endpoints: [{ port: "metrics", path: "/metrics", interval: "30s" }],
    },
  };
}

/** A user that owns nothing but its volume. */
const AS_NOBODY = {
  runAsNonRoot: true,
  runAsUser: 10_001,
  runAsGroup: 10_001,
  fsGroup: 10_001,
  seccompProfile: { type: "RuntimeDefault" },
} as const;

const HOME_CLAIM = {
  metadata: { name: "home" },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "20Gi" } } },
} as const;

/** One worker with the routers of its endpoints, whose addresses are in its home: so a StatefulSet with a volume. */
function worker(metadata: Metadata, input: InstallationInput): Record<string, unknown> {
  const { name, labels } = metadata;
  const container = workerContainer(metadata, input);
  const credentials = {
    name: "registry",
    secret: {
      secretName: input.registrySecret,
      items: [{ key: ".dockerconfigjson", path: "config.json" }],
    },
  };
  const routed = { ...labels, [MARKS.role]: "router", [MARKS.installation]: input.installation };
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata,
    spec: {
      replicas: 1,
      serviceName: name,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels: routed },
        spec: {
          serviceAccountName: name,
          terminationGracePeriodSeconds: 60,
          securityContext: AS_NOBODY,
          containers: [container],
          ...(input.registrySecret !== null && { volumes: [credentials] }),
        },
      },
      volumeClaimTemplates: [HOME_CLAIM],
    },
  };
}

function workerContainer({ name, namespace }: Metadata, input: InstallationInput): Record<string, unknown> {
  const environment = {
    ...input.environment,
    MODEL_DEPLOYER_KUBERNETES_NAMESPACE: namespace,
    MODEL_DEPLOYER_KUBERNETES_INSTALLATION: input.installation,
    MODEL_DEPLOYER_HOME: HOME,
    MODEL_DEPLOYER_CACHE: `${HOME}/cache`,
    MODEL_DEPLOYER_BIND_HOST: "0.0.0.0",
    MODEL_DEPLOYER_ENDPOINT_HOST: `${name}.${namespace}.svc`,
    MODEL_DEPLOYER_METRICS_PORT: "9464",
    ...(input.registrySecret !== null && { DOCKER_CONFIG: "/etc/registry" }),
  };
  return {
    name: "worker",
    image: input.image,
    command: ["model-deployer", "worker"],
    env: Object.entries(environment).map(([key, value]) => ({ name: key, value })),
    envFrom: [{ secretRef: { name: input.secret } }],
    ports: [{ name: "metrics", containerPort: 9464, protocol: "TCP" }],
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    volumeMounts: [
      { name: "home", mountPath: HOME },
      ...(input.registrySecret === null
        ? []
        : [{ name: "registry", mountPath: "/etc/registry", readOnly: true }]),
    ],
  };
}
