import { randomUUID } from "node:crypto";
import { Command } from "@langchain/langgraph";
import { expect } from "vitest";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import type { DeploymentManifest } from "../../../src/agents/model_deployer/domain/answer.ts";
import type { Duration } from "../../../src/testing/clock.ts";
import {
  act,
  approve,
  deploy,
  type DeployerUnderTest,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  inProduction,
  liveThread,
  promote,
  promoteWithApproval,
  questionOf,
  readyForProduction,
  register,
  type TrafficSource,
} from "../../../src/testing/index.ts";

type JudgeRequest = { when_inconclusive?: "pause" | "roll_back"; maximum_inconclusive_looks?: number };

/** All parts may be real ones or in memory; either way somebody can let time go by in the database, and send requests. */
export interface StoryTeller extends Pick<DeployerUnderTest, "graph" | "agent" | "database" | "worker"> {
  router: TrafficSource;
  passTime(by: Duration): void | Promise<void>;
  /** The registry's ids of the runs `run1` to `run3`; these names unless given. */
  runOf?: (name: string) => string;
}

const runOf = (given: StoryTeller, name: string): string => given.runOf?.(name) ?? name;

/** One team, one endpoint, one new model: what a scenario is told in. */
export class Story {
  readonly #given: StoryTeller;
  readonly #production: string;
  #candidate = "";
  #newer = "";
  #manifest: DeploymentManifest | null = null;
  #thread = liveThread();
  #operation = "";

  static async withAModelInProduction(given: StoryTeller): Promise<Story> {
    const { deployment } = await inProduction(given, runOf(given, "run1"));
    return new Story(given, deployment);
  }

  private constructor(given: StoryTeller, production: string) {
    this.#given = given;
    this.#production = production;
  }

  async givenANewModelInShadow(): Promise<void> {
    this.#candidate = await register(this.#given, runOf(this.#given, "run2"));
    await promote(this.#given, this.#candidate, "staging");
    await promote(this.#given, this.#candidate, "shadow");
    await deploy(this.#given, this.#candidate, "shadow");
  }

  async givenLiveTraffic(requests: number): Promise<void> {
    await this.#given.router.sendTraffic(ENDPOINT, requests);
    await this.#given.worker.tick();
  }

  async whenHoursPass(hours: number): Promise<void> {
    await this.#given.passTime({ hours });
  }

  /** @returns the unmet criteria's names, and what the caller is told */
  async whenProductionIsAskedForTooEarly(): Promise<{ unmet: string[]; told: string }> {
    const error = await errorOf(promote(this.#given, this.#candidate, "production"));
    expect(error.name).toBe("ProductionCriteriaNotMetError");
    const unmet: unknown = error.details["unmet"];
    const names = Array.isArray(unmet) ? unmet.map((one: { criterion: string }) => one.criterion) : [];
    return { unmet: names, told: error.message };
  }

  async whenProductionIsAskedFor(): Promise<void> {
    this.#thread = liveThread(randomUUID());
    const request = { model_version_id: this.#candidate, target_stage: "production" as const };
    const state = await this.#given.graph.invoke({ deployment_action: "promote", ...request }, this.#thread);
    this.#operation = questionOf(state).operation_id;
  }

  /** @returns the stages that the version came from and went to */
  async whenSomebodyElseApproves(): Promise<string> {
    const { approval_id } = await approve(this.#given, this.#operation);
    const state = await this.#given.graph.invoke(new Command({ resume: { approval_id } }), this.#thread);
    return `${state.version_record?.previous_stage} > ${state.version_record?.current_stage}`;
  }

  async givenANewModelInProduction(): Promise<void> {
    await this.givenANewModelInShadow();
    await this.givenLiveTraffic(1000);
    await this.whenHoursPass(24);
    await this.whenProductionIsAskedFor();
    await this.whenSomebodyElseApproves();
  }

  async whenItIsRolledOut(...weights: number[]): Promise<DeploymentManifest> {
    return this.whenItIsJudgedAndRolledOut({}, ...weights);
  }

  async whenItIsJudgedAndRolledOut(judge: JudgeRequest, ...weights: number[]): Promise<DeploymentManifest> {
    const steps = weights.map((weight) => ({ weight, bake_seconds: 0 }));
    const request = { rollout: { steps, judge } };
    this.#manifest = await deploy(this.#given, this.#candidate, "production", request);
    return this.#manifest;
  }

  async whenSomebodyAsksTo(action: "pause" | "resume" | "abort"): Promise<void> {
    await act(this.#given, action, { endpoint_name: ENDPOINT, rollout_reason: `please ${action}` });
  }

  /** Asks, is told that an approval is needed, has it, and asks again. */
  async whenSomebodyAsksWithApprovalTo(action: "promote_now" | "retry"): Promise<void> {
    const request = { deployment_action: action, endpoint_name: ENDPOINT, rollout_reason: "it is fixed" };
    const error = await errorOf(this.#given.agent.execute(request));
    expect(error.code).toBe("approval_required");
    await approve(this.#given, String(error.details["operation_id"]));
    this.#manifest = (await this.#given.agent.execute(request)).deployment_manifest ?? this.#manifest;
  }

  async givenAnEvenNewerModelThatIsReady(): Promise<void> {
    this.#newer = await readyForProduction(this.#given, runOf(this.#given, "run3"));
  }

  /** @returns the refusal, and null when it got there with an approval */
  async whenTheEvenNewerModelAsksForProduction(): Promise<string | null> {
    try {
      await promoteWithApproval(this.#given, this.#newer);
      return null;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return error.message;
    }
  }

  async givenANewerModelMaySupersede(): Promise<void> {
    const { experiments } = this.#given.database;
    const { policy_id: _, ...policy } = await experiments.getGatePolicy(EXPERIMENT);
    await experiments.setGatePolicy(EXPERIMENT, { ...policy, during_rollout: "supersede" }, "ana");
  }

  /** `running`, or `paused by ana: please pause`. */
  async rollout(): Promise<string> {
    const rollout = await this.#given.database.history.lastRollout(ENDPOINT);
    const { status, pause } = rollout ?? expect.fail("nothing is rolled out");
    return pause === null ? status : `${status} by ${pause.by}: ${pause.reason}`;
  }

  /** So many requests come, of which the new model fails a part, and the worker looks; it has seen the route before. */
  async whenTheWorkerLooksAfter(requests: number, failing = 0): Promise<void> {
    const candidate = this.#manifest?.deployment_id ?? expect.fail("nothing is rolled out");
    await this.#whenTheWorkerLooks();
    await this.#given.router.sendTraffic(ENDPOINT, requests, { [candidate]: { error_rate: failing } });
    await this.#whenTheWorkerLooks();
  }

  async #whenTheWorkerLooks(): Promise<void> {
    await this.#given.passTime({ minutes: 1 });
    expect((await this.#given.worker.tick()).problems).toEqual([]);
  }

  /** Shares of the old and the new model. */
  async traffic(): Promise<{ old: number; new: number }> {
    const weights = (await this.#given.database.endpoints.get(ENDPOINT))?.weights ?? {};
    return {
      old: weights[this.#production] ?? 0,
      new: weights[this.#manifest?.deployment_id ?? ""] ?? 0,
    };
  }

  async stageOfTheNewModel(): Promise<string | undefined> {
    return (await this.#given.database.modelVersions.get(this.#candidate))?.stage;
  }

  /** `<from> > <to>: <reason>` of the new model, oldest first. */
  async historyOfTheNewModel(): Promise<string[]> {
    const events = await this.#given.database.history.list(EXPERIMENT);
    return events
      .filter((event) => event.model_version_id === this.#candidate && event.to_stage !== null)
      .map((event) => `${event.from_stage ?? "nowhere"} > ${event.to_stage}: ${event.reason}`);
  }
}
