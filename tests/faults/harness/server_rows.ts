import { z } from "zod";

/** A server is wanted while its deployment may get traffic, or is kept warm until a time that is set. */
export const SERVERS = `select deployment_id as id, (
    coalesce((e.weights ->> d.deployment_id)::numeric, 0) > 0
    or e.mirror_deployment_id is not distinct from d.deployment_id
  ) as routed, (
    d.status in ('pending', 'deploying', 'active') or d.drain_due_at is not null and d.drained_at is null
  ) as wanted
  from ml_deployments d left join ml_endpoints e using (endpoint_name)`;
export const serverRow = z.object({ id: z.string(), routed: z.boolean(), wanted: z.boolean() });
