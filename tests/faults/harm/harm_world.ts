import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { ConflictError } from "../../../src/agents/model_deployer/errors.ts";
import {
  ensureModelEnvironment,
  ensureToolsEnvironment,
} from "../../../src/platform/python/python_environment.ts";
import type { MLflowAccess } from "../../../src/wiring/settings/mlflow_settings.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { MLflowSeed } from "../../integration/mlflow/mlflow_seed.ts";
import { Releases } from "../../support/releases.ts";
import type { SmallDisk } from "../../support/services/small_disk.ts";
import type { TestServices } from "../../support/services/test_services.ts";
import { hold } from "../harness/checked_property.ts";
import { askingModel, REQUIREMENTS } from "./asking_model.ts";
import { openHome, type OpenedHome, type Removed } from "./opened_home.ts";
import type { Upstream } from "./upstream.ts";
import { WorkerProcess } from "./worker_process.ts";
import { enrolOperatingUser } from "../../support/given/enrolled_user.ts";

/** Only guards against hanging. */
const LONG_MS = 300_000;
/** Under way for as long as a row takes. */
const STEPS = [
  { weight: 30, bake_seconds: 86_400 },
  { weight: 100, bake_seconds: 0 },
];

/** One endpoint in production on the real parts, a worker beside it, and an upstream that its models ask. */
export class HarmWorld {
  readonly experiment = `harm_${randomUUID().slice(0, 8)}`;
  readonly #opened: OpenedHome;
  readonly #token = randomBytes(24).toString("hex");
  readonly #seed: MLflowSeed;
  readonly #releases: Releases;
  #worker: WorkerProcess | null = null;
  #url = "";
  #production = "";
  #candidate = "";
  #rollout: string | null = null;
  #workers = 0;
  #closed: Promise<void> | null = null;

  private constructor(opened: OpenedHome, mlflow: MLflowAccess) {
    this.#opened = opened;
    this.#seed = new MLflowSeed(mlflow);
    const { deployer } = opened;
    this.#releases = new Releases({ deployer, sql: this.sql, token: this.#token });
  }

  /** With nothing in production until `bringUp`. */
  static async open(services: TestServices): Promise<HarmWorld> {
    return new HarmWorld(await openHome(services), services.mlflow);
  }

  get home(): string {
    return this.#opened.home;
  }

  get upstream(): Upstream {
    return this.#opened.upstream;
  }

  get disk(): SmallDisk | string {
    return this.#opened.disk;
  }

  readonly sql = (text: string, values?: unknown[]) => this.#opened.scratch.query(text, values);

  get url(): string {
    return this.#url;
  }

  get worker(): WorkerProcess | null {
    return this.#worker;
  }

  /** The deployment that serves production. */
  get production(): string {
    return this.#production;
  }

  /** Another one in place of the worker that runs. */
  async startWorker({ clockOffsetMs = 0 } = {}): Promise<void> {
    await this.#worker?.end();
    const { environment, home } = this.#opened;
    hold(this.#closed === null, () => "the world is closed");
    this.#workers += 1;
    const log = join(home, `worker-${this.#workers}.log`);
    this.#worker = new WorkerProcess({ environment, log, clockOffsetMs });
    await this.#worker.hasBegun();
  }

  /** Returns the deployment that gets 30 % beside production, as it stays until `endRollout`. */
  async beginRollout(): Promise<string> {
    await this.#untilNoRolloutMoves();
    if ((await this.rolloutStatus()) === "running") return this.#candidate;
    if (this.#rollout === null) {
      const version = await this.#registered("v2");
      await this.#releases.toProductionStage(version);
      const { deployment_manifest } = await this.#releases.act("deploy", {
        model_version_id: version,
        target_stage: "production",
        rollout: { steps: STEPS },
      });
      this.#candidate = z.string().parse(deployment_manifest?.deployment_id);
    } else {
      await this.#releases.approved("retry", {
        rollout_id: this.#rollout,
        rollout_reason: "it was not its fault",
      });
    }
    const rows = await this.sql(
      "select rollout_id as id, deployment_id as candidate from ml_rollouts order by created_at desc limit 1",
    );
    const row = z.object({ id: z.string(), candidate: z.string() }).parse(rows[0]);
    this.#rollout = row.id;
    this.#candidate = row.candidate;
    return row.candidate;
  }

  async endRollout(): Promise<void> {
    if ((await this.rolloutStatus()) !== "running") return;
    const abort = { rollout_id: this.#rollout, rollout_reason: "the case is over" };
    await this.#releases.act("abort", abort).catch(async (error: unknown) => {
      // Whoever looks at the rollout may have been sooner to end it, which is told as a conflict.
      const isOver = (await this.rolloutStatus()) !== "running";
      if (!(error instanceof ConflictError) || !isOver) throw error;
    });
    await this.#untilNoRolloutMoves();
  }

  async restart(deployment: string): Promise<void> {
    await this.#releases.act("restart", {
      deployment_id: deployment,
      restart_reason: "asked for under load",
    });
  }

  /** Null before the first one. */
  async rolloutStatus(): Promise<string | null> {
    if (this.#rollout === null) return null;
    const [row] = await this.sql("select status from ml_rollouts where rollout_id = $1", [this.#rollout]);
    return z.string().parse(row?.["status"]);
  }

  /** The reason that stands in the history, once it has ended; null while it goes on. */
  async howTheRolloutEnded(): Promise<string | null> {
    await this.#untilNoRolloutMoves();
    if ((await this.rolloutStatus()) === "running") return null;
    const [row] = await this.sql(
      `select kind || ': ' || reason as told from ml_rollout_history
       where rollout_id = $1 and kind <> 'rollout_started' order by history_id desc limit 1`,
      [this.#rollout],
    );
    return String(row?.["told"]);
  }

  /** Answers as it should; for the moment before a case and after it. */
  async untilItAnswers(): Promise<void> {
    const body = JSON.stringify({ entity_id: "e1", features: { x: 1 }, time_horizon: "30d" });
    const headers = { "content-type": "application/json" };
    await pollUntil(
      async () => {
        const signal = AbortSignal.timeout(20_000);
        const answer = await fetch(`${this.#url}/predict`, { method: "POST", headers, body, signal });
        await answer.arrayBuffer();
        return answer.ok;
      },
      { deadlineMs: LONG_MS, intervalMs: 200, what: "answer of the endpoint" },
    );
  }

  /** At any time; the same one for who calls it again. */
  close(removed: Removed = "now"): Promise<void> {
    this.#closed ??= (async () => {
      await this.#worker?.end();
      await this.#opened.close(removed);
    })();
    return this.#closed;
  }

  async bringUp({ cacheDirectory }: TestServices): Promise<void> {
    const { database } = this.#opened.deployer;
    await database.principals.enrol("omar", this.#token);
    await enrolOperatingUser(database);
    const criteria = { minimum_auc: 0.8, minimum_precision_at_k: null, maximum_fpr: null };
    const described = { experiment_name: this.experiment, prediction_target: "harm" };
    await database.experiments.create({ experiment_id: this.experiment, ...described, ...criteria }, "ana");
    const version = await this.#registered("v1");
    const { uv } = await ensureToolsEnvironment({ cacheDirectory });
    const signal = AbortSignal.timeout(LONG_MS);
    const requirements = [...REQUIREMENTS];
    await ensureModelEnvironment({ cacheDirectory, requirements, uv, signal });
    await this.startWorker();
    await this.#releases.toProductionStage(version);
    const { deployment_manifest: manifest } = await this.#releases.act("deploy", {
      model_version_id: version,
      target_stage: "production",
    });
    this.#url = z.string().parse(manifest?.endpoint_url);
    this.#production = z.string().parse(manifest?.deployment_id);
    await this.untilItAnswers();
  }

  async #registered(name: string): Promise<string> {
    const model = await askingModel(this.upstream.port, name);
    const run = await this.#seed.addRun({ metrics: { roc_auc: 0.9 }, models: { model } });
    const request = { experiment_id: this.experiment, mlflow_run_id: run.run_id };
    return z.string().parse((await this.#releases.act("register", request)).model_version_id);
  }

  async #untilNoRolloutMoves(): Promise<void> {
    await pollUntil(
      async () => {
        const rows = await this.sql(
          "select 1 from ml_operations where status in ('planned', 'carrying_out')",
        );
        return rows.length === 0;
      },
      { deadlineMs: LONG_MS, intervalMs: 200, what: "end of all operations" },
    );
  }
}
