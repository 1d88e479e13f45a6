import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { ModelDeployer } from "../../src/wiring/model_deployer.ts";
import { AgentError } from "../../src/agents/base/agent_error.ts";
import { ApprovalRequiredError } from "../../src/agents/model_deployer/errors.ts";
import type { World } from "./world.ts";

type Request = Record<string, unknown>;

interface Owned {
  deployer: Pick<ModelDeployer, "agent" | "database">;
  /** Past every policy. */
  sql: World["sql"];
  /** Of a principal who approves. */
  token: string;
}

/** Only guards against hanging. */
const LONG_MS = 300_000;

/** A team's way to get a version into production, on the real parts and without waiting for a day. */
export class Releases {
  readonly #deployer: Owned["deployer"];
  readonly #sql: Owned["sql"];
  readonly #token: string;

  constructor({ deployer, sql, token }: Owned) {
    this.#deployer = deployer;
    this.#sql = sql;
    this.#token = token;
  }

  /** One action to its end: what an answer does not wait for, the worker carries on, and what passes by itself is waited for. */
  async act(action: string, request: Request) {
    const asked = { request_id: randomUUID(), deployment_action: action, ...request };
    let inTheWay: unknown = null;
    const ask = () =>
      this.#deployer.agent.execute(asked).catch((error: unknown) => {
        inTheWay = error;
        if (error instanceof AgentError && error.retryable) return null;
        throw error;
      });
    let answer = await ask();
    const deadline = performance.now() + LONG_MS;
    while (answer?.status !== "completed") {
      if (performance.now() > deadline) {
        throw new TypeError(`${action} did not come to its end, but to ${answer?.status}`, {
          cause: inTheWay,
        });
      }
      await delay(500);
      answer = await ask();
    }
    return answer;
  }

  /** With what a day under mirrored traffic would have shown. */
  async toProductionStage(version: string): Promise<void> {
    for (const stage of ["staging", "shadow"])
      await this.act("promote", { model_version_id: version, target_stage: stage });
    await this.act("deploy", { model_version_id: version, target_stage: "shadow" });
    await this.fromShadow(version);
  }

  /** Of a version whose shadow runs. */
  async fromShadow(version: string): Promise<void> {
    await this.#sql(
      `insert into ml_shadow_evidence (deployment_id, epoch, requests, errors, p99_ms)
         select deployment_id, 'a day', 10000, 0, 20 from ml_deployments
         where model_version_id = $1 and target_stage = 'shadow'`,
      [version],
    );
    await this.#sql(
      `update ml_deployments set activated_at = activated_at - interval '25 hours'
       where model_version_id = $1 and target_stage = 'shadow'`,
      [version],
    );
    await this.approved("promote", { model_version_id: version, target_stage: "production" });
  }

  async approved(action: string, request: Request): Promise<void> {
    const asked = { ...request, request_id: randomUUID() };
    const waiting: unknown = await this.act(action, asked).catch((error: unknown) => error);
    if (!(waiting instanceof ApprovalRequiredError)) {
      throw new TypeError(`${action} asked for no approval`, { cause: waiting });
    }
    const operation_id = z.string().parse(waiting.details["operation_id"]);
    const { approvals } = this.#deployer.database;
    await approvals.grant({ token: this.#token, operation_id, reason: "looks right" });
    await this.act(action, asked);
  }
}
