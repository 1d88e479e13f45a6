import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { createCapabilities } from "../agents/model_deployer/capabilities.ts";
import type { ModelDeployer } from "../agents/model_deployer/create_model_deployer.ts";
import type { Answer } from "../agents/model_deployer/domain/answer.ts";
import { NotFoundError } from "../agents/model_deployer/errors.ts";
import { answer } from "./apply.ts";
import type { Execute } from "./program.ts";
import type { Invocation, Report } from "./runner.ts";

export function addResumeOperation(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("resume-operation <operation>")
    .description("carry an operation on: one that was interrupted, or that has been approved")
    .action((operation) => execute("resume-operation", (invocation) => resume(invocation, operation)));
}

function resume(invocation: Invocation, operationId: string): Promise<Report> {
  const started = performance.now();
  return invocation.withDeployer(async (deployer) => {
    const done = await invocation.terminal.withProgress(`carrying ${operationId} on`, (tell) =>
      carryOn(deployer, operationId, invocation.signal, tell),
    );
    const { notes, model_version_id: _, ...answered } = done;
    const outcome = {
      ...answered,
      status: "completed",
      operation_id: operationId,
      warnings: notes,
      degraded: await deliver(deployer),
    };
    return answer(outcome, (performance.now() - started) / 1000);
  });
}

async function carryOn(
  { parts, settings, database }: ModelDeployer,
  operationId: string,
  signal: AbortSignal,
  tell: (text: string) => void,
): Promise<Answer> {
  const { planners, runner } = createCapabilities(parts, settings);
  const operation = await database.operations.get(operationId);
  const planner = Object.entries(planners).find(([action]) => action === operation?.action)?.[1];
  if (planner === undefined) {
    throw new NotFoundError(`Operation ${operationId} does not exist; status lists those that are open.`);
  }
  return runner.run(operationId, {
    signal,
    planner,
    onProgress: (_event, _step, message) => {
      tell(message);
    },
  });
}

const DELIVERY_MS = 3000;

async function deliver({ parts, settings }: ModelDeployer): Promise<string[]> {
  return createCapabilities(parts, settings).delivery.deliver(20, {
    signal: AbortSignal.timeout(DELIVERY_MS),
  });
}
