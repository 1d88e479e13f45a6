import canonicalize from "canonicalize";
import type { Resources } from "../../../agents/model_deployer/domain/entities.ts";
import { hashOf, MARKS, objectName, ownerLabel, processName } from "./object_names.ts";
import {
  commonLabels,
  podTemplate,
  SERVED_PORT,
  DRAIN_DELAY_SECONDS,
  type ServerSettings,
  type ServerSpec,
} from "./server_pod.ts";

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string } & Record<string, unknown>;
  spec: unknown;
}

/** The Deployment of one server. It is made once and never written again, so that scaling stays with who scales. */
export function deploymentObject(
  server: ServerSpec,
  settings: ServerSettings,
): KubernetesObject & { spec: { replicas: number } } {
  const process = processName(server.deployment_id, server.ordinal);
  const name = objectName(settings.installation, process);
  const spec = deploymentSpec(name, process, server, settings);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name,
      labels: {
        ...commonLabels(settings.installation, name),
        [MARKS.owner]: ownerLabel(server.deployment_id),
      },
      annotations: {
        [MARKS.deploymentId]: server.deployment_id,
        [MARKS.process]: process,
        [MARKS.bentoTag]: server.bento_tag,
        [MARKS.image]: server.image,
        [MARKS.ordinal]: String(server.ordinal),
        [MARKS.specification]: specificationOf({ spec }),
        ...(server.installed && { [MARKS.installed]: "true" }),
      },
    },
    spec,
  };
}

/**
 * Tells whether a Deployment of this name is the one that would be made. How many pods it began with is not part of it:
 * that follows the load of the moment.
 */
export function specificationOf({ spec }: { spec: { replicas: number } }): string {
  const { replicas: _number, ...fixed } = spec;
  return hashOf(canonicalize(fixed) ?? "");
}

/** The objects that stand beside the Deployment and go with it. */
export function companionObjects(
  name: string,
  uid: string,
  resources: Resources,
  settings: ServerSettings,
): { plural: string; object: KubernetesObject }[] {
  const owner = { apiVersion: "apps/v1", kind: "Deployment", name, uid };
  const labels = commonLabels(settings.installation, name);
  const metadata = { name, labels, ownerReferences: [owner] };
  const selected = { matchLabels: { [MARKS.server]: name } };
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: {
      selector: selected.matchLabels,
      ports: [{ name: "http", port: SERVED_PORT, targetPort: SERVED_PORT, protocol: "TCP" }],
    },
  };
  const policy = {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata,
    spec: policySpec(selected, settings),
  };
  const budget = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata,
    spec: { maxUnavailable: 1, selector: selected },
  };
  return [
    { plural: "services", object: service },
    { plural: "networkpolicies", object: policy },
    { plural: "poddisruptionbudgets", object: budget },
    ...(isScaled(resources)
      ? [{ plural: "horizontalpodautoscalers", object: autoscaler(metadata, resources) }]
      : []),
  ];
}

/** Routers are let in, and nothing else but a control plane and a gateway's proxies where they are named. */
function policySpec(selected: object, settings: ServerSettings): object {
  const router = { [MARKS.role]: "router", [MARKS.installation]: settings.installation };
  return {
    podSelector: selected,
    policyTypes: ["Ingress"],
    ingress: [
      {
        from: [
          { podSelector: { matchLabels: router } },
          ...(settings.controlPlane === null ? [] : [{ ipBlock: { cidr: settings.controlPlane } }]),
          ...(settings.gatewayPods === null ? [] : [inNamespace(settings.gatewayPods)]),
        ],
        ports: [{ port: SERVED_PORT, protocol: "TCP" }],
      },
    ],
  };
}

function inNamespace(name: string): object {
  return { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } } };
}

/** Without room between its bounds nothing scales, and `replicas` stands. */
function isScaled({ autoscaling: { min, max } }: Resources): boolean {
  return max > min;
}

function autoscaler(metadata: KubernetesObject["metadata"], { autoscaling }: Resources): KubernetesObject {
  const target = { type: "Utilization", averageUtilization: autoscaling.target_cpu };
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata,
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: metadata.name },
      minReplicas: autoscaling.min,
      maxReplicas: autoscaling.max,
      metrics: [{ type: "Resource", resource: { name: "cpu", target } }],
    },
  };
}

function deploymentSpec(
  name: string,
  process: string,
  server: ServerSpec,
  settings: ServerSettings,
): { replicas: number } & Record<string, unknown> {
  return {
    replicas: firstReplicas(server),
    selector: { matchLabels: { [MARKS.server]: name } },
    progressDeadlineSeconds: Math.ceil(settings.startSeconds) + DRAIN_DELAY_SECONDS,
    revisionHistoryLimit: 0,
    template: podTemplate(name, process, server, settings),
  };
}

/** The server beside it has as many pods as the load needs; the autoscaler goes on from there. */
export function firstReplicas({ resources, alike }: Pick<ServerSpec, "resources" | "alike">): number {
  const { min, max } = resources.autoscaling;
  if (!isScaled(resources)) return resources.replicas;
  return Math.min(max, Math.max(min, resources.replicas, alike));
}
