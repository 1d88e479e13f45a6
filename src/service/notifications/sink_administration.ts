import { randomUUID } from "node:crypto";
import type { z } from "zod";
import type { Notice } from "../../agents/model_deployer/domain/notices/notices.ts";
import { sinkNameSchema } from "../../agents/model_deployer/domain/notices/notification_sinks.ts";
import type { Actor } from "../../agents/model_deployer/domain/access/roles.ts";
import {
  ConfigurationError,
  InvalidRequestError,
  NotFoundError,
} from "../../agents/model_deployer/errors.ts";
import type {
  NotificationSender,
  SecretKeeper,
} from "../../agents/model_deployer/ports/notification_ports.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import {
  sinkView,
  type SinkRequest,
  type sinkReportSchema,
  type sinksReportSchema,
  type sinkTrialSchema,
} from "./sink_schemas.ts";
import { targetOf } from "./sink_target.ts";

interface SinkParts {
  database: Pick<DeployerDatabase, "sinks" | "overview" | "clock">;
  secrets: SecretKeeper;
}

export async function sinksReport({
  sinks,
}: Pick<DeployerDatabase, "sinks">): Promise<z.infer<typeof sinksReportSchema>> {
  return { sinks: (await sinks.list()).map(sinkView) };
}

/** @throws InvalidRequestError | NotFoundError */
export async function setSink(
  { database, secrets: keeper }: SinkParts,
  sink_name: string,
  request: SinkRequest,
  by: Actor,
): Promise<z.infer<typeof sinkReportSchema>> {
  const known = sinkNameSchema.safeParse(sink_name);
  if (!known.success) {
    const why = known.error.issues.map(({ message }) => message).join(", ");
    throw new InvalidRequestError(`${JSON.stringify(sink_name)} is no name for a sink: ${why}.`);
  }
  const before = (await database.sinks.list()).find((one) => one.sink_name === sink_name);
  const experiment_ids = request.experiment_ids ?? before?.experiment_ids ?? [];
  await requireExperiments(experiment_ids, database);
  const may_be_inside = request.may_be_inside ?? before?.may_be_inside ?? false;
  const { made, ...wanted } = await targetOf({ ...request, sink_name, may_be_inside }, before, keeper);
  const kinds = request.kinds ?? before?.kinds ?? [];
  await database.sinks.set({ sink_name, ...wanted, kinds, experiment_ids, may_be_inside }, by);
  const [sink] = (await sinksReport(database)).sinks.filter((one) => one.sink_name === sink_name);
  if (sink === undefined) throw new NotFoundError(`Sink ${sink_name} was removed while it was set.`);
  return { sink, secret: made };
}

async function requireExperiments(
  ids: readonly string[],
  { overview }: SinkParts["database"],
): Promise<void> {
  if (ids.length === 0) return;
  const known = new Set((await overview.experiments()).map(({ experiment_id }) => experiment_id));
  const unknown = ids.filter((id) => !known.has(id));
  if (unknown.length === 0) return;
  throw new NotFoundError(
    `Experiment ${unknown.join(", ")} does not exist: \`model-deployer experiments list\` names those there are.`,
    { details: { unknown } },
  );
}

const TRIAL_MS = 15_000;

/** Sends a notice now. @throws NotFoundError, and what the sink answers */
export async function trySink(
  { database, sender }: { database: SinkParts["database"]; sender: NotificationSender | undefined },
  sink_name: string,
  { who }: Actor,
  signal: AbortSignal,
): Promise<z.infer<typeof sinkTrialSchema>> {
  const sink = await database.sinks.sendable(sink_name);
  if (sender === undefined) throw new ConfigurationError("Nothing sends notices here.");
  const notice = trialNotice(who, await database.clock.now());
  await sender.send(sink, notice, { signal: AbortSignal.any([signal, AbortSignal.timeout(TRIAL_MS)]) });
  return { sink_name, event_id: notice.event_id };
}

function trialNotice(by: string, now: string): Notice {
  return {
    event_id: `trial:${randomUUID()}`,
    kind: "trial",
    severity: "info",
    occurred_at: now,
    experiment_id: null,
    endpoint_name: null,
    title: "A trial: this is where notices of Model Deployer arrive.",
    reason: "",
    by,
    numbers: {},
    operation_id: null,
    rollout_id: null,
    command: null,
  };
}
