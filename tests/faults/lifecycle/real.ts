import { z } from "zod";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import type { ModelDeployerRequest } from "../../../src/agents/model_deployer/state/state.ts";
import { pastTriggers } from "../../support/world.ts";
import { approve, ENDPOINT, type GivenDeployer } from "../../support/deployer.ts";
import type { ScratchDeployer } from "../harness/scratch.ts";
import { type Lifecycle, openRollout, type Outcome, versionName } from "./life.ts";

const deploymentRow = z.object({
  deployment_id: z.string(),
  model_version_id: z.string(),
  target_stage: z.enum(["staging", "shadow", "production"]),
  status: z.string(),
});
const versionRow = z.object({ mlflow_run_id: z.string(), model_version_id: z.string(), stage: z.string() });

type NamedVersion = z.infer<typeof versionRow> & { name: string };

const EXPIRE = pastTriggers(`update ml_approvals set granted_at = granted_at - interval '25 hours',
  expires_at = expires_at - interval '25 hours' where used_at is null and revoked_at is null`);

/** As the product writes an instant down. */
const SINCE = `to_char(((pause->>'since')::timestamptz - make_interval(mins => $1)) at time zone 'utc',
  'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** Whether somebody else approves where that is needed. */
export type Approval = "given" | "missing" | "expired";

/** The deployer under test, in the words of the model. */
export class RealLifecycle {
  readonly given: GivenDeployer;
  readonly #scratch: ScratchDeployer;
  /** Ids by the model's names. */
  readonly #ids = new Map<string, string>();

  readonly #tally: Map<string, number>;

  /** @param tally of what requests came to, over all scripts */
  constructor(scratch: ScratchDeployer, tally: Map<string, number>) {
    this.#scratch = scratch;
    this.#tally = tally;
    this.given = scratch.given;
  }

  /** Asks; where somebody else has to approve and does, asks again. */
  async ask(request: ModelDeployerRequest, approval: Approval): Promise<Outcome> {
    const code = await this.#askApproved(request, approval);
    const key = `${request.deployment_action} ${code}`;
    this.#tally.set(key, (this.#tally.get(key) ?? 0) + 1);
    return code;
  }

  async #askApproved(request: ModelDeployerRequest, approval: Approval): Promise<Outcome> {
    const first = await this.#outcomeOf(() => this.#execute(request));
    if (first.code !== "approval_required" || approval === "missing") return first.code;
    const granted = await this.#outcomeOf(async () => {
      await approve(this.given, String(first.operation));
      return "done";
    });
    // Another process may have ended the operation between the answer and the approval.
    if (granted.code !== "done") return granted.code;
    if (approval === "expired") await this.given.world.sql(EXPIRE);
    return (await this.#outcomeOf(() => this.#execute(request))).code;
  }

  async #execute(request: ModelDeployerRequest): Promise<Outcome> {
    const { status } = await this.given.agent.execute(request);
    return status === "completed" ? "done" : status;
  }

  async #outcomeOf(attempt: () => Promise<Outcome>): Promise<{ code: Outcome; operation: unknown }> {
    try {
      return { code: await attempt(), operation: null };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return { code: error.code, operation: error.details["operation_id"] };
    }
  }

  /** The run's last version. */
  async versionOf(run: string): Promise<string> {
    const versions = await this.#versions();
    return versions.findLast((version) => version.mlflow_run_id === run)?.model_version_id ?? "mv_unknown";
  }

  idOf(name: string): string {
    return this.#ids.get(name) ?? "deploy_unknown";
  }

  sendTraffic(requests: number, failing: string | null): void {
    const behaviours = failing === null ? {} : { [this.idOf(failing)]: { error_rate: 1 } };
    this.given.router.sendTraffic(ENDPOINT, requests, behaviours);
  }

  /** Rollouts that are watched are due now; whatever else is due is done too. */
  async lookNow(): Promise<void> {
    await this.#setNextLook("0 seconds");
    await this.given.worker.tick();
  }

  /** Everything that is under way comes to its end, but no rollout moves. */
  async settle(): Promise<void> {
    await this.holdRollouts();
    await this.given.worker.tick();
    await this.given.worker.tick();
  }

  async holdRollouts(): Promise<void> {
    await this.#setNextLook("1 hour");
  }

  async #setNextLook(from: string): Promise<void> {
    await this.given.world.sql(
      "update ml_rollouts set next_tick_at = clock_timestamp() + $1::interval, claimed_until = null where next_tick_at is not null",
      [from],
    );
  }

  /** As if everything had happened so much earlier. */
  async wait(hours: number): Promise<void> {
    await this.given.world.sql(
      `update ml_deployments set activated_at = activated_at - make_interval(mins => $1),
         drain_due_at = drain_due_at - make_interval(mins => $1),
         rolled_back_at = rolled_back_at - make_interval(mins => $1)`,
      [hours * 60],
    );
    await this.given.world.sql(
      `update ml_rollouts set step_started_at = step_started_at - make_interval(mins => $1),
         watched_until = watched_until - make_interval(mins => $1),
         pause = pause || jsonb_build_object('since', ${SINCE})`,
      [hours * 60],
    );
  }

  violations(): Promise<string[]> {
    return this.#scratch.violations();
  }

  /** The database's state in the model's words, once new things have the model's names. */
  async standing(life: Lifecycle): Promise<Standing> {
    const rows = await this.given.world.sql(
      `select d.deployment_id, d.model_version_id, d.target_stage, d.status
       from ml_deployments d
       where d.status <> 'failed' order by d.deployed_at, d.deployment_id`,
    );
    const deployments = deploymentRow.array().parse(rows);
    const versions = await this.#versions();
    this.#nameNew(life, deployments, versions);
    const names = new Map([...this.#ids].map(([name, id]) => [id, name]));
    const named = (id: string) => names.get(id) ?? id;
    const [production, staging, rollout] = await Promise.all([
      this.given.db.endpoints.get(ENDPOINT),
      this.given.db.endpoints.get(`${ENDPOINT}_staging`),
      this.given.db.rollouts.getOpen(ENDPOINT),
    ]);
    const weights = Object.entries(production?.weights ?? {}).map(
      ([id, weight]) => [named(id), weight] as const,
    );
    const mirror = production?.mirror_deployment_id ?? null;
    return {
      stages: sorted(versions.map(({ name, stage }) => [name, stage])),
      weights: sorted(weights),
      mirror: mirror === null ? null : named(mirror),
      staging: Object.keys(staging?.weights ?? {}).map(named)[0] ?? null,
      rollout:
        rollout === null
          ? null
          : { candidate: named(rollout.deployment_id), step: rollout.step_index, status: rollout.status },
      statuses: sorted(deployments.map(({ deployment_id, status }) => [named(deployment_id), status])),
    };
  }

  #nameNew(
    life: Lifecycle,
    deployments: z.infer<typeof deploymentRow>[],
    versions: readonly NamedVersion[],
  ): void {
    const versionIds = new Map(versions.map(({ name, model_version_id }) => [name, model_version_id]));
    const known = new Set(this.#ids.values());
    const fresh = deployments.filter(({ deployment_id }) => !known.has(deployment_id));
    for (const [name, { version, target }] of Object.entries(life.deployments)) {
      if (this.#ids.has(name)) continue;
      const found = fresh.find(
        (row) => row.model_version_id === versionIds.get(version) && row.target_stage === target,
      );
      if (found !== undefined) this.#ids.set(name, found.deployment_id);
    }
  }

  /** Each run's in the order of their registration, by the model's names. */
  async #versions(): Promise<NamedVersion[]> {
    const rows = await this.given.world.sql(
      "select mlflow_run_id, model_version_id, stage from ml_model_registry order by version",
    );
    const counts = new Map<string, number>();
    return versionRow
      .array()
      .parse(rows)
      .map((row) => {
        const number = (counts.get(row.mlflow_run_id) ?? 0) + 1;
        counts.set(row.mlflow_run_id, number);
        return { ...row, name: versionName(row.mlflow_run_id, number) };
      });
  }
}

/** The state that callers can see: stages, traffic, and the end of each deployment. */
export interface Standing {
  stages: Record<string, string>;
  weights: Record<string, number>;
  mirror: string | null;
  staging: string | null;
  rollout: { candidate: string; step: number; status: string } | null;
  statuses: Record<string, string>;
}

export function standingOf(life: Lifecycle): Standing {
  const rollout = openRollout(life);
  return {
    stages: sorted(Object.entries(life.stages)),
    weights: sorted(Object.entries(life.weights)),
    mirror: life.mirror?.name ?? null,
    staging: life.staging,
    rollout:
      rollout === null ? null : { candidate: rollout.candidate, step: rollout.step, status: rollout.status },
    statuses: sorted(Object.entries(life.deployments).map(([name, { status }]) => [name, status])),
  };
}

function sorted<T>(entries: (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
