import { z } from "zod";

const probeSchema = z.object({
  httpGet: z.object({ path: z.string(), port: z.int() }),
  periodSeconds: z.int().default(10),
  timeoutSeconds: z.int().default(1),
  failureThreshold: z.int().default(3),
});
export type Probe = z.infer<typeof probeSchema>;

const containerSchema = z.object({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()).default([]),
  args: z.array(z.string()).default([]),
  env: z
    .array(
      z.object({
        name: z.string(),
        value: z.string().default(""),
        valueFrom: z.object({ fieldRef: z.object({ fieldPath: z.string() }) }).optional(),
      }),
    )
    .default([]),
  startupProbe: probeSchema.optional(),
  readinessProbe: probeSchema.optional(),
  livenessProbe: probeSchema.optional(),
  lifecycle: z.object({ preStop: z.object({ exec: z.object({ command: z.array(z.string()) }) }) }).optional(),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })).default([]),
});
export type Container = z.infer<typeof containerSchema>;

/** What the node reads of a pod. */
export const nodePodSchema = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
    annotations: z.record(z.string(), z.string()).default({}),
    deletionTimestamp: z.string().optional(),
  }),
  spec: z.object({
    nodeName: z.string().default(""),
    terminationGracePeriodSeconds: z.int().default(30),
    securityContext: z.object({ runAsUser: z.int().default(65_534) }).default({ runAsUser: 65_534 }),
    containers: z.array(containerSchema),
    volumes: z
      .array(
        z.object({
          name: z.string(),
          emptyDir: z.looseObject({}).optional(),
          configMap: z.object({ name: z.string() }).optional(),
        }),
      )
      .default([]),
  }),
});
export type NodePod = z.infer<typeof nodePodSchema>;
