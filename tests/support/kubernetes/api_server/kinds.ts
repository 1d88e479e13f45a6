import { z } from "zod";
import { gatewayKinds } from "./gateway_kinds.ts";
import { count, labels, podSpec, port, selector, texts } from "./pod_kind.ts";

/** What an API server keeps of one kind: where it is asked for, which fields it knows, and what may not change. */
export interface Kind {
  kind: string;
  apiVersion: string;
  /** Fields that are refused when they are missing or unknown, below the object itself. */
  fields: z.ZodRawShape;
  namePattern: RegExp;
  /** Paths that no later write may change. */
  immutable: string[];
}

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const label = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;

export const metadataSchema = z.strictObject({
  name: z.string().min(1).max(253),
  namespace: z.string().optional(),
  labels: labels.optional(),
  annotations: texts.optional(),
  uid: z.string().optional(),
  generation: z.int().optional(),
  resourceVersion: z.string().optional(),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  ownerReferences: z
    .array(
      z.strictObject({
        apiVersion: z.string(),
        kind: z.string(),
        name: z.string(),
        uid: z.string(),
        controller: z.boolean().optional(),
        blockOwnerDeletion: z.boolean().optional(),
      }),
    )
    .optional(),
});

const deployment = {
  spec: z.strictObject({
    replicas: z.int().min(0).optional(),
    selector,
    progressDeadlineSeconds: z.int().min(1).optional(),
    revisionHistoryLimit: z.int().min(0).optional(),
    minReadySeconds: z.int().min(0).optional(),
    strategy: z
      .strictObject({
        type: z.enum(["RollingUpdate", "Recreate"]),
        rollingUpdate: z.strictObject({ maxUnavailable: count, maxSurge: count }).optional(),
      })
      .optional(),
    template: z.strictObject({
      metadata: z.strictObject({ labels, annotations: texts.optional() }),
      spec: podSpec,
    }),
  }),
};

const service = {
  spec: z.strictObject({
    type: z.enum(["ClusterIP"]).optional(),
    clusterIP: z.string().optional(),
    selector: labels,
    ports: z
      .array(
        z.strictObject({
          name: z.string().optional(),
          port: z.int(),
          targetPort: port.optional(),
          protocol: z.enum(["TCP", "UDP"]).optional(),
        }),
      )
      .min(1),
  }),
};

const target = z.strictObject({ apiVersion: z.string(), kind: z.string(), name: z.string() });
const autoscaler = {
  spec: z.strictObject({
    scaleTargetRef: target,
    minReplicas: z.int().min(1),
    maxReplicas: z.int().min(1),
    metrics: z.array(
      z.strictObject({
        type: z.literal("Resource"),
        resource: z.strictObject({
          name: z.string(),
          target: z.strictObject({ type: z.literal("Utilization"), averageUtilization: z.int().min(1) }),
        }),
      }),
    ),
  }),
};

const disruptionBudget = {
  spec: z.strictObject({ maxUnavailable: z.union([z.int(), z.string()]), selector }),
};

const networkPolicy = {
  spec: z.strictObject({
    podSelector: selector,
    policyTypes: z.array(z.enum(["Ingress", "Egress"])),
    ingress: z.array(
      z.strictObject({
        from: z
          .array(
            z.union([
              z.strictObject({ podSelector: selector }),
              z.strictObject({ namespaceSelector: selector }),
              z.strictObject({ ipBlock: z.strictObject({ cidr: z.cidrv4() }) }),
            ]),
          )
          .optional(),
        ports: z.array(z.strictObject({ port, protocol: z.string() })),
      }),
    ),
  }),
};

const apps = { apiVersion: "apps/v1", namePattern: subdomain };
const core = { apiVersion: "v1", namePattern: subdomain };

/** By the plural name that paths hold. */
export const kinds: Record<string, Kind> = {
  deployments: { ...apps, kind: "Deployment", fields: deployment, immutable: ["spec.selector"] },
  services: { ...core, kind: "Service", fields: service, namePattern: label, immutable: ["spec.clusterIP"] },
  pods: { ...core, kind: "Pod", fields: { spec: podSpec }, immutable: ["spec"] },
  configmaps: { ...core, kind: "ConfigMap", fields: { data: texts.optional() }, immutable: [] },
  horizontalpodautoscalers: {
    ...core,
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    fields: autoscaler,
    immutable: [],
  },
  poddisruptionbudgets: {
    ...core,
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    fields: disruptionBudget,
    immutable: [],
  },
  networkpolicies: {
    ...core,
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    fields: networkPolicy,
    immutable: [],
  },
  ...gatewayKinds,
};
