import { randomUUID } from "node:crypto";
import { isInterrupted } from "@langchain/langgraph";
import type { ModelDeployerAgent } from "../agents/model_deployer/agent.ts";
import type { DeploymentManifest } from "../agents/model_deployer/domain/answer.ts";
import { type Stage, stageSchema } from "../agents/model_deployer/domain/entities.ts";
import {
  type ApprovalQuestion,
  approvalQuestionSchema,
  type ModelDeployerRequest,
  type ModelDeployerStateValue,
} from "../agents/model_deployer/state/state.ts";
import type { Approval } from "../agents/model_deployer/ports/stores/approval_stores.ts";
import type { Duration } from "./clock.ts";
import { ENDPOINT, EXPERIMENT } from "./states.ts";
import { APPROVER_TOKEN, type DeployerUnderTest } from "./test_deployer.ts";
import { errorOf, UnexpectedOutcomeError } from "./unexpected_outcome.ts";

/** The fields of a request without its action. */
export type Request = Omit<ModelDeployerRequest, "deployment_action">;

type Answered = Awaited<ReturnType<ModelDeployerAgent["execute"]>>;
/** The parts of a deployer that the functions below use. */
export type Acting = Pick<DeployerUnderTest, "graph" | "agent" | "database">;

/** Configuration of a run that acts, on a thread of its own unless told. */
export function liveThread(thread: string = randomUUID()) {
  return { configurable: { thread_id: thread }, context: { effects: "live" } };
}

/** Runs the graph; a run that waits for an approval comes back interrupted. */
export async function act(
  { graph }: Pick<Acting, "graph">,
  action: string,
  request: Request,
): Promise<ModelDeployerStateValue> {
  return graph.invoke({ deployment_action: action, ...request }, liveThread());
}

/** @returns the new version's id */
export async function register(deployer: Acting, run: string, request: Request = {}): Promise<string> {
  const asked = { experiment_id: EXPERIMENT, mlflow_run_id: run, ...request };
  const state = await act(deployer, "register", asked);
  return state.version_record?.model_version_id ?? nothing("was registered");
}

export async function promote(
  deployer: Acting,
  version: string,
  stage: string,
  request: Request = {},
): Promise<ModelDeployerStateValue> {
  return act(deployer, "promote", { model_version_id: version, target_stage: stageOf(stage), ...request });
}

export async function deploy(
  deployer: Acting,
  version: string,
  stage: string,
  request: Request = {},
): Promise<DeploymentManifest> {
  const asked = { model_version_id: version, target_stage: stageOf(stage), ...request };
  const state = await act(deployer, "deploy", asked);
  return state.deployment_manifest ?? nothing("came of the deployment");
}

/** Asks, is told that an approval is needed, has it approved, and asks again. */
export async function promoteWithApproval(
  deployer: Acting,
  version: string,
  stage = "production",
): Promise<Answered> {
  return withApproval(deployer, {
    deployment_action: "promote",
    model_version_id: version,
    target_stage: stageOf(stage),
    promotion_reason: "it has proved itself",
  });
}

/** Puts a version in place of what serves, in one step and with an approval. */
export async function deployAtOnce(deployer: Acting, version: string): Promise<DeploymentManifest> {
  const { deployment_manifest } = await withApproval(deployer, {
    deployment_action: "deploy",
    model_version_id: version,
    target_stage: "production",
    rollout: "immediate",
  });
  return deployment_manifest ?? nothing("came of the deployment");
}

async function withApproval(deployer: Acting, request: ModelDeployerRequest): Promise<Answered> {
  const error = await errorOf(deployer.agent.execute(request));
  if (error.code !== "approval_required") throw error;
  await approve(deployer, String(error.details["operation_id"]));
  return deployer.agent.execute(request);
}

/** As the principal `omar`. */
export function approve({ database }: Pick<Acting, "database">, operationId: string): Promise<Approval> {
  const reason = "the figures are good";
  return database.approvals.grant({ token: APPROVER_TOKEN, operation_id: operationId, reason });
}

/** The question that an interrupted run waits with. */
export function questionOf(state: unknown): ApprovalQuestion {
  if (!isInterrupted(state)) return nothing("is waited for");
  return approvalQuestionSchema.parse(state.__interrupt__[0]?.value);
}

/** Sends requests to an endpoint; a fraction of a deployment's answers may fail. */
export interface TrafficSource {
  sendTraffic(
    endpointName: string,
    requests: number,
    behaviours?: Record<string, { error_rate?: number }>,
  ): void | Promise<void>;
}

/** A deployer whose database's clock can be turned, and whose endpoints get requests. */
export type Timed = Acting & { router: TrafficSource; passTime(by: Duration): void | Promise<void> };

/** Registers the run, moves it to shadow and gives it a day under mirrored traffic. @returns the version's id */
export async function readyForProduction(deployer: Timed, run: string): Promise<string> {
  const version = await register(deployer, run);
  await promote(deployer, version, "staging");
  await promote(deployer, version, "shadow");
  await deploy(deployer, version, "shadow");
  await deployer.router.sendTraffic(ENDPOINT, 1000);
  await deployer.passTime({ hours: 24 });
  return version;
}

/** A version that serves all production traffic, or, where another one serves already, has begun its rollout. */
export async function inProduction(
  deployer: Timed,
  run: string,
  request: Request = {},
): Promise<{ version: string; deployment: string; manifest: DeploymentManifest }> {
  const version = await readyForProduction(deployer, run);
  await promoteWithApproval(deployer, version);
  const manifest = await deploy(deployer, version, "production", request);
  return { version, deployment: manifest.deployment_id, manifest };
}

export function stageOf(name: string): Stage {
  return stageSchema.options.find((stage) => stage === name) ?? nothing(`is the stage ${name}`);
}

function nothing(what: string): never {
  throw new UnexpectedOutcomeError(`Nothing ${what}`);
}
