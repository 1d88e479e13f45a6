import { AgentError } from "../../agents/base/agent_error.ts";
import type { Deployment } from "../../agents/model_deployer/domain/entities.ts";
import { bytesOf, coresOf } from "../../agents/model_deployer/domain/servers/quantities.ts";
import type { ServerUsage } from "../../agents/model_deployer/ports/model_server_port.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import type { ServerUsageReport } from "./server_usage_schemas.ts";
import { unknownEndpoint } from "../problems/unknown_name.ts";

const PATIENCE_MS = 3000;

type Shown = ServerUsageReport["deployments"][number];

/** @throws NotFoundError with the nearest names */
export async function serverUsageReport(
  database: DeployerDatabase,
  usage: ServerUsage | undefined,
  name: string,
): Promise<ServerUsageReport> {
  const endpoint = await database.endpoints.get(name);
  if (endpoint === null) throw await unknownEndpoint(name, database);
  const [read_at, deployments] = await Promise.all([
    database.clock.now(),
    database.deployments.listForEndpoint(name),
  ]);
  const standing = deployments.filter(
    ({ status, drained_at }) => !["failed", "pending"].includes(status) && drained_at === null,
  );
  return {
    endpoint_name: name,
    read_at,
    deployments: await Promise.all(standing.map((one) => usageOf(one, usage))),
  };
}

async function usageOf(deployment: Deployment, usage: ServerUsage | undefined): Promise<Shown> {
  const { deployment_id, bento_tag, engine, status, replicas, cpu_limit, memory_limit, autoscaling } =
    deployment;
  const memory_limit_bytes = bytesOf(memory_limit);
  const options = { signal: AbortSignal.timeout(PATIENCE_MS) };
  const [measured, limits] = await Promise.all([
    known(() => usage?.usage(deployment_id, options)),
    known(() => usage?.limits(deployment_id, options)),
  ]);
  return {
    ...{ deployment_id, bento_tag, engine, status, replicas, cpu_limit, memory_limit, autoscaling },
    cpu_cores: coresOf(cpu_limit),
    memory_limit_bytes,
    not_enforced: limits === null || limits.enforced ? null : limits.reason,
    warm_until: deployment.drain_due_at,
    servers:
      measured?.map(({ run: _run, memory_bytes, ...used }) => ({
        ...{ memory_bytes, ...used },
        memory_share: memory_bytes / memory_limit_bytes,
      })) ?? null,
  };
}

/** Null where nothing measures, or what measures does not answer. */
async function known<T>(ask: () => Promise<T | null> | undefined): Promise<T | null> {
  try {
    return (await ask()) ?? null;
  } catch (error) {
    if (error instanceof AgentError) return null;
    throw error;
  }
}
