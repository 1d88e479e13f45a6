import { z } from "zod";
import { MARKS } from "./object_names.ts";

/** Absent and null mean the same to an API server. */
const orNull = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? null);

/** The fields that are read of the cluster's objects; one that an API server leaves out while it is empty has its default here. */
const metadataSchema = z.object({
  name: z.string(),
  uid: z.string(),
  resourceVersion: z.string(),
  generation: z.int().default(0),
  deletionTimestamp: orNull(z.string()),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  ownerReferences: z.array(z.object({ uid: z.string() })).default([]),
});
const conditionSchema = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().default(""),
  message: z.string().default(""),
});

export const anyObjectSchema = z.object({ metadata: metadataSchema });

export const deploymentSchema = z.object({
  metadata: metadataSchema,
  spec: z.object({
    replicas: z.int().default(1),
    template: z.object({ spec: z.object({ containers: z.array(z.object({ image: z.string() })) }) }),
  }),
  status: z
    .object({
      observedGeneration: z.int().default(0),
      availableReplicas: z.int().default(0),
      conditions: z.array(conditionSchema).default([]),
    })
    .prefault({}),
});
export type ObservedDeployment = z.infer<typeof deploymentSchema>;

const terminatedSchema = z.object({ reason: z.string().default(""), exitCode: z.int() });
const containerStateSchema = z.object({
  waiting: orNull(z.object({ reason: z.string().default(""), message: z.string().default("") })),
  terminated: orNull(terminatedSchema),
});
const containerStatusSchema = z.object({
  name: z.string(),
  ready: z.boolean().default(false),
  started: orNull(z.boolean()),
  restartCount: z.int().default(0),
  state: containerStateSchema.prefault({}),
  lastState: containerStateSchema.prefault({}),
});
export type ContainerStatus = z.infer<typeof containerStatusSchema>;

export const podSchema = z.object({
  metadata: metadataSchema,
  status: z
    .object({
      phase: z.string().default("Pending"),
      podIP: z.string().default(""),
      reason: z.string().default(""),
      message: z.string().default(""),
      conditions: z.array(conditionSchema).default([]),
      containerStatuses: z.array(containerStatusSchema).default([]),
    })
    .prefault({}),
});
export type ObservedPod = z.infer<typeof podSchema>;

export const serviceSchema = z.object({
  metadata: metadataSchema,
  spec: z.object({ clusterIP: z.string().default("") }),
});

/** One server, as its Deployment's annotations describe it. */
export interface ServerView {
  deployment_id: string;
  process: string;
  bento_tag: string;
  image: string;
  ordinal: number;
  installed: boolean;
  /** When it was told to end; null while it is to serve. */
  ending_since: string | null;
  deployment: ObservedDeployment;
}

const marksSchema = z.object({
  [MARKS.deploymentId]: z.string(),
  [MARKS.process]: z.string(),
  [MARKS.bentoTag]: z.string(),
  [MARKS.image]: z.string(),
  [MARKS.ordinal]: z.coerce.number().int().min(1),
  [MARKS.installed]: z.literal("true").optional(),
  [MARKS.endingSince]: z.iso.datetime().optional(),
});

/** Null for a Deployment that is not one of ours. */
export function serverViewOf(deployment: ObservedDeployment): ServerView | null {
  const marks = marksSchema.safeParse(deployment.metadata.annotations);
  if (!marks.success) return null;
  return {
    deployment_id: marks.data[MARKS.deploymentId],
    process: marks.data[MARKS.process],
    bento_tag: marks.data[MARKS.bentoTag],
    image: marks.data[MARKS.image],
    ordinal: marks.data[MARKS.ordinal],
    installed: marks.data[MARKS.installed] === "true",
    ending_since: marks.data[MARKS.endingSince] ?? null,
    deployment,
  };
}
