import { randomBytes } from "node:crypto";
import pg from "pg";
import { NotFoundError } from "../../src/agents/model_deployer/errors.ts";
import type { ModelDeployer } from "../../src/wiring/model_deployer.ts";
import { sitAtTheDesk } from "../../tests/support/given/at_the_desk.ts";
import { Releases } from "../../tests/support/releases.ts";

/** One way to get a version's server, from the request to the manifest. */
export interface ServedTimes {
  ms: number;
  /** CPU of the server's processes that it took. */
  cpuSeconds: number;
}

/** Versions that go from the shadow to production, where the shadow's running server is adopted. */
export class Adoptions {
  readonly #deployer: ModelDeployer;
  readonly #pool: pg.Pool;
  readonly #releases: Releases;

  private constructor(deployer: ModelDeployer, token: string) {
    this.#deployer = deployer;
    this.#pool = new pg.Pool({ connectionString: deployer.addresses.databaseOwnerUrl, max: 1 });
    const sql = async (text: string, values?: unknown[]) =>
      (await this.#pool.query<Record<string, unknown>>(text, values)).rows;
    this.#releases = new Releases({ deployer, sql, token });
  }

  static async enrolled(deployer: ModelDeployer): Promise<Adoptions> {
    const token = randomBytes(24).toString("hex");
    await deployer.database.principals.enrol("omar", token);
    await sitAtTheDesk(deployer.database);
    return new Adoptions(deployer, token);
  }

  /** @param versionId of a version that is registered and stands nowhere */
  async measure(versionId: string): Promise<{ started: ServedTimes; adopted: ServedTimes }> {
    const asked = { model_version_id: versionId };
    for (const target_stage of ["staging", "shadow"]) {
      await this.#releases.act("promote", { ...asked, target_stage });
    }
    const started = await this.#deployed({ ...asked, target_stage: "shadow" }, 0);
    await this.#releases.fromShadow(versionId);
    const before = await this.#cpuOf(started.id);
    const adopted = await this.#deployed({ ...asked, target_stage: "production" }, before);
    return { started, adopted };
  }

  /** @param before CPU that its processes had used, where they ran already */
  async #deployed(request: Record<string, unknown>, before: number): Promise<ServedTimes & { id: string }> {
    const begun = performance.now();
    const { deployment_manifest: manifest } = await this.#releases.act("deploy", request);
    const ms = performance.now() - begun;
    if (manifest === null) throw new NotFoundError("A deployment ended without a manifest.");
    const id = manifest.deployment_id;
    return { id, ms, cpuSeconds: (await this.#cpuOf(id)) - before };
  }

  async #cpuOf(deploymentId: string): Promise<number> {
    const signal = AbortSignal.timeout(60_000);
    const used = await this.#deployer.parts.serverUsage?.usage(deploymentId, { signal });
    return (used ?? []).reduce((sum, { cpu_seconds }) => sum + cpu_seconds, 0);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
