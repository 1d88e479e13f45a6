import type { ModelDeployer } from "../../src/wiring/model_deployer.ts";
import { BenchTeam } from "../support/bench_team.ts";

/** One way to get a version's server, from the request to the manifest. */
export interface ServedTimes {
  ms: number;
  /** CPU of the server's processes that it took. */
  cpuSeconds: number;
}

/** Versions that go from the shadow to production, where the shadow's running server is adopted. */
export class Adoptions {
  readonly #deployer: ModelDeployer;
  readonly #team: BenchTeam;

  private constructor(deployer: ModelDeployer, team: BenchTeam) {
    this.#deployer = deployer;
    this.#team = team;
  }

  static async enrolled(deployer: ModelDeployer): Promise<Adoptions> {
    return new Adoptions(deployer, await BenchTeam.at(deployer));
  }

  /** @param versionId of a version that is registered and stands nowhere */
  async measure(versionId: string): Promise<{ started: ServedTimes; adopted: ServedTimes }> {
    const asked = { model_version_id: versionId };
    for (const target_stage of ["staging", "shadow"]) {
      await this.#team.releases.act("promote", { ...asked, target_stage });
    }
    const started = await this.#deployed({ ...asked, target_stage: "shadow" }, 0);
    await this.#team.releases.fromShadow(versionId);
    const before = await this.#cpuOf(started.id);
    const adopted = await this.#deployed({ ...asked, target_stage: "production" }, before);
    return { started, adopted };
  }

  /** @param before CPU that its processes had used, where they ran already */
  async #deployed(request: Record<string, unknown>, before: number): Promise<ServedTimes & { id: string }> {
    const begun = performance.now();
    const { deployment_id: id } = await this.#team.deploy(request);
    const ms = performance.now() - begun;
    return { id, ms, cpuSeconds: (await this.#cpuOf(id)) - before };
  }

  async #cpuOf(deploymentId: string): Promise<number> {
    const signal = AbortSignal.timeout(60_000);
    const used = await this.#deployer.parts.serverUsage?.usage(deploymentId, { signal });
    return (used ?? []).reduce((sum, { cpu_seconds }) => sum + cpu_seconds, 0);
  }

  async close(): Promise<void> {
    await this.#team.close();
  }
}
