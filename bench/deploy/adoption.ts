import type { ModelDeployer } from "../../src/wiring/model_deployer.ts";
import { BenchTeam } from "../support/bench_team.ts";

/** One way to get a version's server, from the request to the manifest. */
export interface ServedTimes {
  ms: number;
  /** CPU of the server's processes that it took. */
  cpuSeconds: number;
}

/** One version's way: its server is started at staging, and adopted at the shadow and at production. */
export type AdoptedWay = Record<"staging" | "shadow" | "production", ServedTimes>;

/** Versions that go from staging over the shadow to production, with the one server that was started at staging. */
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
  async measure(versionId: string): Promise<AdoptedWay> {
    const asked = { model_version_id: versionId };
    const promote = (target_stage: string) => this.#team.releases.act("promote", { ...asked, target_stage });
    await promote("staging");
    const staging = await this.#deployed({ ...asked, target_stage: "staging" }, 0);
    await promote("shadow");
    const atStaging = await this.#cpuOf(staging.id);
    const shadow = await this.#deployed({ ...asked, target_stage: "shadow" }, atStaging);
    await this.#team.releases.fromShadow(versionId);
    const atShadow = await this.#cpuOf(shadow.id);
    const production = await this.#deployed({ ...asked, target_stage: "production" }, atShadow);
    return { staging, shadow, production };
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
