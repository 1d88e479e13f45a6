import { randomUUID } from "node:crypto";
import { Command, isInterrupted } from "@langchain/langgraph";
import { AgentError } from "../src/agents/base/agent_error.ts";
import { ServiceUnavailableError } from "../src/agents/model_deployer/errors.ts";
import {
  approvalQuestionSchema,
  type ModelDeployerRequest,
  type ModelDeployerStateValue,
} from "../src/agents/model_deployer/state/state.ts";
import { answerSchema } from "../src/agents/model_deployer/domain/answer.ts";
import type { Stage } from "./stage.ts";
import { story, trafficBar } from "./story.ts";
import { NotYet, until } from "./until.ts";

type Given = Omit<ModelDeployerRequest, "deployment_action">;

/** An engineer's actions, through the graph and nothing else. */
export class Engineer {
  readonly #stage: Stage;
  readonly #names = new Map<string, string>();

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** @returns the id of the registered version */
  async register(name: string): Promise<string> {
    const run = this.#stage.runs.find((one) => one.name === name);
    const state = await this.#act("register", {
      experiment_id: this.#stage.experimentId,
      mlflow_run_id: run?.run_id ?? "",
    });
    const version = state.version_record;
    story.good(
      `registered ${name} as ${version?.model_name} version ${version?.version}, at ${version?.current_stage}`,
    );
    return version?.model_version_id ?? "";
  }

  async promote(name: string, versionId: string, to: "staging" | "shadow"): Promise<void> {
    const reason = `${name} goes on`;
    const state = await this.#act("promote", {
      model_version_id: versionId,
      target_stage: to,
      promotion_reason: reason,
    });
    story.good(
      `promoted ${name}: ${state.version_record?.previous_stage} -> ${state.version_record?.current_stage}`,
    );
  }

  async deploy(name: string, versionId: string, to: "staging" | "shadow" | "production", given: Given = {}) {
    const state = await this.#act("deploy", { model_version_id: versionId, target_stage: to, ...given });
    const manifest = state.deployment_manifest;
    if (manifest === null || manifest === undefined)
      throw new TypeError(`deploy of ${name} gave no manifest`);
    this.#names.set(manifest.deployment_id, name);
    const seconds = manifest.deployment_duration_seconds.toFixed(1);
    story.good(`deployed ${name} at ${to} in ${seconds} s: ${manifest.status}, ${manifest.endpoint_url}`);
    if (manifest.rollout !== null) story.detail(this.bar(manifest.traffic.weights));
    return manifest;
  }

  /** Asks for production too early; the refusal is what is shown. */
  async promoteTooEarly(name: string, versionId: string): Promise<void> {
    try {
      await this.#act("promote", {
        model_version_id: versionId,
        target_stage: "production",
        promotion_reason: "now",
      });
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      story.refused(`${name} to production: ${error.name}`);
      const unmet: unknown = error.details["unmet"];
      for (const one of Array.isArray(unmet) ? unmet : []) story.detail(`- ${sentenceOf(one)}`);
      return;
    }
    throw new TypeError(`${name} was let through to production, and its shadow had shown too little`);
  }

  /** Asks, is interrupted, somebody else approves, and the run goes on with the approval's id. */
  async promoteToProduction(name: string, versionId: string): Promise<void> {
    const { deployer, approverToken } = this.#stage;
    const config = thread();
    const request = {
      model_version_id: versionId,
      target_stage: "production",
      promotion_reason: `${name} has proved itself`,
    };
    const waiting = await deployer.graph.invoke({ deployment_action: "promote", ...request }, config);
    if (!isInterrupted(waiting)) throw new TypeError("the promotion went on without an approval");
    const { operation_id } = approvalQuestionSchema.parse(waiting.__interrupt__[0]?.value);
    story.tell(`promotion of ${name} waits for an approval (interrupt of ${operation_id})`);
    const grant = { token: approverToken, operation_id, reason: "figures look right" };
    const approval = await deployer.parts.database.approvals.grant(grant);
    story.good(`approved by ${approval.approver}, who is not ${deployer.settings.requested_by}`);
    const state = await deployer.graph.invoke(
      new Command({ resume: { approval_id: approval.approval_id } }),
      config,
    );
    story.good(
      `promoted ${name}: ${state.version_record?.previous_stage} -> ${state.version_record?.current_stage}`,
    );
    for (const warning of state.warnings ?? []) story.detail(warning);
  }

  bar(weights: { deployment_id: string; weight: number }[]): string {
    return trafficBar(
      weights.map(({ deployment_id, weight }) => ({ label: this.nameOf(deployment_id), weight })),
    );
  }

  nameOf(deploymentId: string): string {
    return this.#names.get(deploymentId) ?? deploymentId;
  }

  /** The node answers within its SLA; on a slow machine the worker ends what it began. */
  async #act(action: string, given: Given): Promise<ModelDeployerStateValue> {
    const { graph, parts } = this.#stage.deployer;
    const state = await graph.invoke({ deployment_action: action, ...given }, thread());
    if (state.status !== "in_progress") return state;
    story.tell(`${action} was not done within the SLA, so the answer was in_progress; the worker goes on`);
    const done = await until(`the worker has carried ${action} on`, async () => {
      const operation = await parts.database.operations.get(state.operation_id ?? "");
      const { status = "unknown", error = null } = operation ?? {};
      if (error !== null)
        throw new ServiceUnavailableError("demo", `${action} failed later on: ${error.message}`);
      return status === "succeeded" ? answerSchema.parse(operation?.result) : new NotYet(status);
    });
    const { deployment_manifest, version_record } = done;
    return { ...state, status: "completed", deployment_manifest, version_record, warnings: done.notes };
  }
}

function thread() {
  return {
    configurable: { thread_id: randomUUID() },
    context: { effects: "live" },
  } as const;
}

function sentenceOf(criterion: unknown): string {
  const sentence: unknown =
    typeof criterion === "object" && criterion !== null ? Reflect.get(criterion, "sentence") : criterion;
  return String(sentence);
}
