import type { TestServices } from "../../support/services/test_services.ts";
import { standardSettings } from "../../support/deployer.ts";
import type { ChildPool, Ending } from "./children/children.ts";
import { differences, portraitOf } from "./portrait.ts";
import type { Deed } from "./children/protocol.ts";
import { type Moment, RestorableDeployer } from "./restorable/restorable_deployer.ts";
import { RestorableEnvoy } from "./restorable/restorable_envoy.ts";
import { callOthers } from "./other_callers.ts";
import type { Rivals } from "./rivals.ts";
import { type CrashScenario, letTimePass, resume, type Resumption, settle, type Told } from "./scenario.ts";

export interface StageOptions {
  services: TestServices;
  children: ChildPool;
  /** With a real router, whose I/O alone is looked at. */
  router?: "envoy";
}

/** The expected end of every case: the outcome of a run in which nobody was killed. */
export interface Expected {
  portrait: Record<string, unknown>;
  told: Told | null;
  /** The points of that run, in their order. */
  points: string[];
}

export interface Outcome {
  /** Where processes died; empty when the scenario had fewer points than asked for. */
  died: string[];
  wrong: string[];
}

/** One scenario on one database, to be played again and again with a process killed at another point each time. */
export class CrashStage {
  readonly #scenario: CrashScenario;
  readonly #deployer: RestorableDeployer;
  readonly #envoy: RestorableEnvoy | null;
  readonly #children: ChildPool;
  readonly #deed: Deed;
  readonly #beginning: Moment;

  private constructor(
    scenario: CrashScenario,
    parts: { deployer: RestorableDeployer; envoy: RestorableEnvoy | null; children: ChildPool },
    beginning: { deed: Deed; moment: Moment },
  ) {
    this.#scenario = scenario;
    this.#deployer = parts.deployer;
    this.#envoy = parts.envoy;
    this.#children = parts.children;
    this.#deed = beginning.deed;
    this.#beginning = beginning.moment;
  }

  static async open(scenario: CrashScenario, options: StageOptions): Promise<CrashStage> {
    const { services, children, router } = options;
    const deployer = await RestorableDeployer.open(services);
    const envoy = router === undefined ? null : await RestorableEnvoy.create(services);
    const deed = await scenario.given(deployer.given);
    await letTimePass(scenario, deployer.given);
    if (envoy !== null) await deployer.moveInto(envoy);
    return new CrashStage(scenario, { deployer, envoy, children }, { deed, moment: await deployer.keep() });
  }

  async close(): Promise<void> {
    await this.#envoy?.close();
    await this.#deployer.close();
  }

  /** @throws when even a run without a crash leaves something wrong */
  async expected(): Promise<Expected> {
    await this.#deployer.restore(this.#beginning);
    const ending = await this.#play(this.#deed, null);
    if (ending.ended === "killed") throw new TypeError("a process died that was to live");
    const { fails = null } = this.#scenario;
    const error = ending.error?.code ?? null;
    if (error !== fails && error !== "approval_required") {
      throw new TypeError(
        `${this.#scenario.name} without a crash: ${ending.error?.message ?? "it did not fail"}`,
      );
    }
    const { portrait, told, wrong } = await this.#carryToItsEnd("request");
    if (told !== null && told.error !== fails) wrong.push(`it ended with ${told.error} instead of ${fails}`);
    if (wrong.length > 0) throw new TypeError(`${this.#scenario.name} without a crash: ${wrong.join("; ")}`);
    return { portrait, told, points: ending.passed };
  }

  /** Dies at the point, and is then carried on in every way that there is, each time from the same remains. */
  async crash(at: number, expected: Expected): Promise<Outcome[]> {
    await this.#deployer.restore(this.#beginning);
    const died = await this.#die(this.#deed, at);
    const remains = await this.#deployer.keep();
    const outcomes: Outcome[] = [];
    for (const [tried, by] of this.#ways(at).entries()) {
      if (tried > 0) await this.#deployer.restore(remains);
      outcomes.push({ died, wrong: await this.#compare(expected, by) });
    }
    await this.#deployer.forget(remains);
    return outcomes;
  }

  /** Dies at the point; whoever carries it on dies too, at a point of its own. */
  async crashTwice(first: number, second: number, by: Resumption, expected: Expected): Promise<Outcome> {
    await this.#deployer.restore(this.#beginning);
    const died = await this.#die(this.#deed, first);
    await letTimePass(this.#scenario, this.#deployer.given);
    died.push(...(await this.#die(by === "worker" ? { does: "tick" } : this.#deed, second)));
    return { died, wrong: await this.#compare(expected, by) };
  }

  /**
   * Dies at the point; before anybody carries it on, other callers come: one with the same key and another body, one
   * with another request about the same. Whoever loses against the dead is told so, and changes nothing.
   */
  async crashWithOthers(at: number, by: Resumption, expected: Expected): Promise<Outcome> {
    await this.#deployer.restore(this.#beginning);
    const died = await this.#die(this.#deed, at);
    const others = await callOthers(this.#deployer.given, this.#deed);
    const wanted = others.changed ? null : { ...expected, portrait: withoutOthers(expected.portrait) };
    const wrong = [...others.wrong, ...(await this.#compare(wanted, by))];
    return { died, wrong };
  }

  /** Dies at the point; before anybody carries it on, somebody else wants something else, and a worker looks. */
  async crashWithRivals(at: number, by: Resumption, rivals: Rivals): Promise<Outcome> {
    await this.#deployer.restore(this.#beginning);
    const died = await this.#die(this.#deed, at);
    const { given } = this.#deployer;
    const wrong = await rivals.call(given, this.#deed);
    const repair = async () => {
      await given.capabilities.reconciler.reconcile({ signal: AbortSignal.timeout(60_000) });
    };
    wrong.push(...(await this.#compare(null, by, repair)), ...(await rivals.unlike(given, this.#deed)));
    return { died, wrong };
  }

  async #die(deed: Deed, at: number): Promise<string[]> {
    const died = diedAt(await this.#play(deed, at));
    if (died.length > 0) await this.#scenario.afterDeath?.(this.#deployer.given);
    return died;
  }

  /** In turn, so that each is often the one that finds the very remains and not what was restored of them. */
  #ways(at: number): Resumption[] {
    if (this.#deed.does === "tick") return ["worker"];
    return at % 4 < 2 ? ["request", "worker"] : ["worker", "request"];
  }

  async #play(deed: Deed, crashAt: number | null): Promise<Ending> {
    const order = {
      order: deed,
      database_url: this.#deployer.database.childUrl,
      settings: standardSettings,
      envoy: this.#envoy === null ? null : { home: this.#envoy.home, binary: this.#envoy.binary },
      real: null,
      crash_at: crashAt,
    };
    const ending = await this.#children.run(order, (call) => this.#deployer.fakes.serve(call));
    await this.#deployer.database.childrenAreGone();
    return ending;
  }

  /**
   * Without `expected`, only to what must always hold.
   * @param repair what a worker does once in a while: a server whose start was overtaken ends then
   */
  async #compare(expected: Expected | null, by: Resumption, repair?: () => Promise<void>): Promise<string[]> {
    try {
      const { portrait, told, wrong } = await this.#carryToItsEnd(by, repair);
      if (expected === null) return wrong.map((sentence) => `carried on by ${by}: ${sentence}`);
      const answers = { answer: told?.answer, error: told?.error };
      const wanted = { answer: expected.told?.answer, error: expected.told?.error };
      return [...wrong, ...differences(portrait, expected.portrait), ...differences(answers, wanted)].map(
        (sentence) => `carried on by ${by}: ${sentence}`,
      );
    } catch (error) {
      return [
        `carried on by ${by}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      ];
    }
  }

  async #carryToItsEnd(by: Resumption, repair: () => Promise<void> = async () => undefined) {
    const { given } = this.#deployer;
    const told = await resume(this.#scenario, given, this.#deed, by);
    const problems = await settle(this.#scenario, given);
    await repair();
    const wrong = [...problems, ...(await this.#deployer.violations())];
    return { portrait: await portraitOf(given), told, wrong };
  }
}

/** The traces of callers who were refused. */
const OF_THE_REFUSED = ["operations", "approvals", "outbox", "episodes"];

function withoutOthers(portrait: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(portrait).filter(([name]) => !OF_THE_REFUSED.includes(name)));
}

function diedAt(ending: Ending): string[] {
  return ending.ended === "killed" ? [ending.at] : [];
}
