import { z } from "zod";
import { instantSchema } from "../../agents/model_deployer/domain/entities.ts";

export const restartsSchema = z.strictObject({
  failures: z.int(),
  last_error: z.string().nullable(),
  next_try_at: instantSchema,
  is_due: z.boolean(),
});

/**
 * SQL for how often in a row the deployment's server could not be started again; null where the last start succeeded.
 */
export const restartsOf = (deploymentId: string): string => `(
    select jsonb_build_object('failures', s.failures, 'last_error', s.last_error, 'next_try_at', s.next_try_at,
      'is_due', s.next_try_at <= clock_timestamp())
    from ml_server_restarts s where s.deployment_id = ${deploymentId} and s.failures > 0
  )`;
