import { z } from "zod";
import { engineKindSchema } from "../../agents/model_deployer/domain/servers/engines.ts";
import {
  deploymentStatusSchema,
  instantSchema,
  resourcesSchema,
} from "../../agents/model_deployer/domain/entities.ts";

const replicaUsageSchema = z.strictObject({
  replica: z.int(),
  memory_bytes: z.number(),
  /** Fraction of the memory limit. */
  memory_share: z.number(),
  /** CPU that its present processes have used; a growth between two readings is a rate. */
  cpu_seconds: z.number(),
  age_seconds: z.number(),
  /** How often it was ended for its memory, where limits are enforced. */
  out_of_memory: z.int(),
  /** How long its threads were held back for `cpu_limit`; null where that is not enforced. */
  throttled_seconds: z.number().nullable(),
});

/** The servers of an endpoint's deployments, and how close each is to its limits. */
export const serverUsageSchema = z.strictObject({
  endpoint_name: z.string(),
  read_at: instantSchema,
  deployments: z.array(
    z.strictObject({
      deployment_id: z.string(),
      bento_tag: z.string(),
      /** Null for the usual one, from before it was written down. */
      engine: engineKindSchema.nullable().default(null),
      status: deploymentStatusSchema,
      ...resourcesSchema.shape,
      /** In cores, as `cpu_limit` says. */
      cpu_cores: z.number(),
      memory_limit_bytes: z.number(),
      /** Why the limits do not hold; null where they do, or where nothing measures. */
      not_enforced: z.string().nullable(),
      warm_until: instantSchema.nullable(),
      /** Null where nothing measures. */
      servers: z.array(replicaUsageSchema).nullable(),
    }),
  ),
});
export type ServerUsageReport = z.infer<typeof serverUsageSchema>;
