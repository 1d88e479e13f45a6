import { randomUUID } from "node:crypto";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import type { Parts } from "../../../src/agents/model_deployer/ports/parts.ts";
import { PollTimeoutError, pollUntil } from "../../../src/testing/poll.ts";
import {
  deploy,
  deployAtOnce,
  ENDPOINT,
  type GivenDeployer,
  promote,
  promoteWithApproval,
  register,
  turnBackActivation,
} from "../../support/deployer.ts";
import type { TestServices } from "../../support/services/test_services.ts";
import { openScratchDeployer } from "../harness/scratch.ts";
import { violationsOf } from "../invariants/invariants.ts";
import { type DeployerProcess, processWith } from "../neighbours/process_with.ts";
import { type EngineFault, type EngineName, type EngineWorld, openEngine } from "./engine_world.ts";

export const engineActions = ["deploy", "rollback"] as const;
export type EngineAction = (typeof engineActions)[number];

export interface EngineCase {
  engine: EngineName;
  action: EngineAction;
  /** Which of the action's calls meets it, counted from 0. */
  at: number;
  fault: EngineFault;
  /** `once`, `lasting` until the caller was answered, or the process that asked is `gone` with that call. */
  how: "once" | "lasting" | "gone";
}

export interface EngineCaseResult {
  /** Whether the fault met a call at all. */
  met: boolean;
  told: string;
  complaints: string[];
}

/** Of a process that is killed, so that nobody waits long for its lease. */
const LEASE_SECONDS = 4;
const RECOVERY_MS = 120_000;

/** One action on a platform that answers its n-th call in this way; then all is well again and has to come right. */
export async function runEngineCase(
  one: EngineCase,
  services: Pick<TestServices, "databaseUrl">,
): Promise<EngineCaseResult> {
  const scratch = await openScratchDeployer(services, { commits: "quick" });
  const world = await openEngine(one.engine, scratch.given.router);
  try {
    const { given } = scratch;
    const request = await prepared(one.action, given, world);
    return await faultAndMend(one, given, world, request);
  } finally {
    await world.close();
    await scratch.close();
  }
}

type Asked = Record<string, unknown> & { deployment_action: string };

async function prepared(action: EngineAction, given: GivenDeployer, world: EngineWorld): Promise<Asked> {
  const process = { ...given, ...processWith(given, world.parts()) };
  const request_id = `engine-${randomUUID()}`;
  if (action === "deploy") {
    await deploy(process, await atStaging(process, "run1"), "staging");
    const model_version_id = await atStaging(process, "run2");
    return { deployment_action: "deploy", request_id, model_version_id, target_stage: "staging" };
  }
  const first = await ready(process, world, "run1");
  await deploy(process, first, "production");
  const { deployment_id } = await deployAtOnce(process, await ready(process, world, "run2"));
  await process.worker.tick();
  const why = { current_deployment_id: deployment_id, rollback_reason: "its answers are wrong" };
  return { deployment_action: "rollback", request_id, ...why };
}

async function atStaging(process: GivenDeployer, run: string): Promise<string> {
  const version = await register(process, run);
  await promote(process, version, "staging");
  return version;
}

/** Through its day of shadow, and approved for production. */
async function ready(process: GivenDeployer, world: EngineWorld, run: string): Promise<string> {
  const version = await atStaging(process, run);
  await promote(process, version, "shadow");
  const { deployment_id } = await deploy(process, version, "shadow");
  await world.sendTraffic(ENDPOINT, 1000);
  await turnBackActivation(process, deployment_id, "24 hours");
  await promoteWithApproval(process, version);
  return version;
}

async function faultAndMend(
  one: EngineCase,
  given: GivenDeployer,
  world: EngineWorld,
  request: Asked,
): Promise<EngineCaseResult> {
  const parts = world.parts();
  const frozen = new Frozen();
  const all = one.how === "gone" ? frozen.around({ ...given.capabilities.parts, ...parts }) : parts;
  const settings = one.how === "gone" ? { lease_seconds: LEASE_SECONDS } : {};
  const process = processWith(given, all, settings);
  let left = one.at;
  let met = false;
  world.whenCalled(() => {
    left -= 1;
    if (left !== -1) return;
    met = true;
    world.meet(one.fault, one.how === "lasting" ? Infinity : 1);
    if (one.how !== "gone") return;
    world.meet({ lost: "call" }, Infinity);
    frozen.begin();
  });
  const told = await Promise.race([outcomeOf(process, request), frozen.begun]);
  await frozen.still();
  world.whenCalled(() => undefined);
  world.mend();
  const calm = processWith(given, world.parts());
  const complaints = await recovered(given, calm, request);
  const looked = { sql: given.world.sql, ...world.parts(), registry: given.registry };
  complaints.push(...(await violationsOf(looked)), ...(await world.strays()));
  return { met, told, complaints };
}

async function outcomeOf(process: DeployerProcess, request: Asked): Promise<string> {
  return (await answerTo(process, request)).told;
}

async function answerTo(
  process: DeployerProcess,
  request: Asked,
): Promise<{ told: string; isFinal: boolean }> {
  try {
    return { told: (await process.agent.execute(request)).status ?? "answered", isFinal: false };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { told: `${error.code}: ${error.message}`, isFinal: !error.retryable };
  }
}

const LEFT = `select (select count(*) from ml_outbox where delivered_at is null)
  + (select count(*) from ml_operations where status in ('planned', 'carrying_out')) as count`;

/** The same request, or where that was refused for good another one, is carried to its end, and nothing is left to do or to mend. */
async function recovered(given: GivenDeployer, process: DeployerProcess, request: Asked): Promise<string[]> {
  let last = "it was not asked";
  let asked = request;
  try {
    await pollUntil(
      async () => {
        const { told, isFinal } = await answerTo(process, asked);
        last = told;
        // An operation that a refusal has ended answers so for ever; whoever wants it still asks anew.
        if (isFinal) asked = { ...request, request_id: `engine-${randomUUID()}` };
        return told === "completed";
      },
      { deadlineMs: RECOVERY_MS, what: "a completed answer after all was well again", intervalMs: 100 },
    );
    await pollUntil(
      async () => {
        await given.world.sql(
          "update ml_outbox set next_attempt_at = clock_timestamp() where delivered_at is null",
        );
        last = (await process.worker.tick()).problems.join("; ");
        const { findings } = await process.capabilities.reconciler.reconcile({
          signal: AbortSignal.timeout(60_000),
        });
        if (findings.length > 0) last = JSON.stringify(findings);
        return findings.length === 0 && Number((await given.world.sql(LEFT))[0]?.["count"]) === 0;
      },
      { deadlineMs: RECOVERY_MS, what: "an end of what was left to do", intervalMs: 100 },
    );
    return [];
  } catch (error) {
    if (!(error instanceof PollTimeoutError)) throw error;
    return [`${error.message}: ${last}`];
  }
}

/** A process that is killed goes nowhere from then on: what it had asked is answered to nobody. */
class Frozen {
  readonly #begun = Promise.withResolvers<string>();
  readonly #underWay = new Set<Promise<unknown>>();
  #isFrozen = false;

  get begun(): Promise<string> {
    return this.#begun.promise;
  }

  begin(): void {
    this.#isFrozen = true;
    this.#begun.resolve("nobody: its process was killed");
  }

  /** Until nothing that it had asked is on its way any more. */
  async still(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  around(parts: Parts): Parts {
    return { ...parts, ...this.#each(parts), database: { ...parts.database, ...this.#each(parts.database) } };
  }

  #each<T extends object>(parts: T): Partial<T> {
    const around: Partial<T> = {};
    for (const key of keysOf(parts)) around[key] = this.#proxy(parts[key]);
    return around;
  }

  #proxy<T>(part: T): T {
    if (typeof part !== "object" || part === null) return part;
    const wrapped: T & object = part;
    return new Proxy(wrapped, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== "function") return member;
        return (...values: unknown[]): unknown => {
          if (this.#isFrozen) return new Promise(() => undefined);
          const answer: unknown = Reflect.apply(member, target, values);
          return answer instanceof Promise ? this.#unlessFrozen(answer) : answer;
        };
      },
    });
  }

  async #unlessFrozen(answer: Promise<unknown>): Promise<unknown> {
    this.#underWay.add(answer);
    try {
      return await answer;
    } finally {
      this.#underWay.delete(answer);
      if (this.#isFrozen) await new Promise(() => undefined);
    }
  }
}

function keysOf<T extends object>(object: T): (keyof T)[] {
  const isKey = (key: string): key is Extract<keyof T, string> => key in object;
  return Object.keys(object).filter(isKey);
}
