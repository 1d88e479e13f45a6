import type { ChildPool, Ending } from "../children/children.ts";
import type { Expected, Outcome } from "../crash_stage.ts";
import { differences, portraitOfRows } from "../portrait.ts";
import type { Deed } from "../children/protocol.ts";
import { letTimePass, resume, type Resumption, settle } from "../scenario.ts";
import type { RealScenario } from "./real_scenarios.ts";
import { type RealMoment, realSettings, type RealWorld } from "./real_world.ts";

/** One scenario of the life, to be played again and again with a process killed at another point each time. */
export class RealStage {
  readonly #world: RealWorld;
  readonly #scenario: RealScenario;
  readonly #children: ChildPool;
  readonly #deed: Deed;
  readonly beginning: RealMoment;

  private constructor(
    { world, scenario, children }: RealStageOptions,
    beginning: { deed: Deed; moment: RealMoment },
  ) {
    this.#world = world;
    this.#scenario = scenario;
    this.#children = children;
    this.#deed = beginning.deed;
    this.beginning = beginning.moment;
  }

  /** From where the world is now. */
  static async open(options: RealStageOptions): Promise<RealStage> {
    const { world, scenario } = options;
    const deed = await scenario.given(world.given);
    await letTimePass(scenario, world.given);
    return new RealStage(options, { deed, moment: await world.keep() });
  }

  /** Without a crash, from where the world is now. @throws when even that leaves something wrong */
  async expected(): Promise<Expected> {
    const ending = await this.#play(null);
    if (ending.ended === "killed" || ending.error !== null) {
      throw new TypeError(`${this.#scenario.name} without a crash: ${JSON.stringify(ending)}`);
    }
    const { portrait, told, wrong } = await this.#carryToItsEnd("request");
    if (told !== null && told.error !== null) wrong.push(`it ended with ${told.error}`);
    if (wrong.length > 0) throw new TypeError(`${this.#scenario.name} without a crash: ${wrong.join("; ")}`);
    return { portrait, told, points: ending.passed };
  }

  async crash(at: number, by: Resumption, expected: Expected): Promise<Outcome> {
    await this.#world.restore(this.beginning);
    const ending = await this.#play(at);
    const died = ending.ended === "killed" ? [ending.at] : [];
    try {
      const { portrait, told, wrong } = await this.#carryToItsEnd(by);
      const answers = { answer: told?.answer, error: told?.error };
      const wanted = { answer: expected.told?.answer, error: expected.told?.error };
      wrong.push(...differences(portrait, expected.portrait), ...differences(answers, wanted));
      return { died, wrong: wrong.map((sentence) => `carried on by ${by}: ${sentence}`) };
    } catch (error) {
      const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { died, wrong: [`carried on by ${by}: ${shown}`] };
    }
  }

  async #play(crashAt: number | null): Promise<Ending> {
    const order = {
      order: this.#deed,
      database_url: this.#world.database.childUrl,
      settings: realSettings,
      envoy: null,
      real: this.#world.tools,
      crash_at: crashAt,
    };
    const ending = await this.#children.run(order, (call) => this.#world.memories.serve(call));
    await this.#world.database.childrenAreGone();
    return ending;
  }

  async #carryToItsEnd(by: Resumption) {
    const { given } = this.#world;
    const told = await resume(this.#scenario, given, this.#deed, by);
    const problems = await settle(this.#scenario, given);
    const wrong = [...problems, ...(await this.#world.violations())];
    return { portrait: await portraitOfRows(given.world.sql), told, wrong };
  }
}

export interface RealStageOptions {
  world: RealWorld;
  scenario: RealScenario;
  children: ChildPool;
}
