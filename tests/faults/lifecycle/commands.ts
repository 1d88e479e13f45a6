import { isDeepStrictEqual } from "node:util";
import type fc from "fast-check";
import { ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import type { ModelDeployerRequest } from "../../../src/agents/model_deployer/state/state.ts";
import { anotherProcess } from "../../support/deployer.ts";
import { hold } from "../harness/checked_property.ts";
import type { Lifecycle, Outcome } from "./life.ts";
import { type Approval, type RealLifecycle, standingOf } from "./real.ts";

/** Where a call fails once: it never happened, or it happened and nobody heard of it. */
export interface Cut {
  call: string;
  when: "before" | "after";
}

/** One step of a script, in the model and in the deployer, after which both must say the same. */
export abstract class Step implements fc.AsyncCommand<Lifecycle, RealLifecycle> {
  abstract inModel(life: Lifecycle): Outcome;
  abstract inReal(real: RealLifecycle, life: Lifecycle): Promise<Outcome>;
  abstract toString(): string;

  /** Whether the step can stand where it does; any request can. */
  abstract check(life: Readonly<Lifecycle>): boolean;

  async run(life: Lifecycle, real: RealLifecycle): Promise<void> {
    const before = structuredClone(life);
    const expected = this.inModel(life);
    const outcome = await this.inReal(real, before);
    await real.settle();
    hold(outcome === expected, () => `${this.toString()} ended with ${outcome}, not ${expected}`);
    await sameStanding(this, life, real);
  }
}

async function sameStanding(step: Step, life: Lifecycle, real: RealLifecycle): Promise<void> {
  const standing = await real.standing(life);
  const wanted = standingOf(life);
  hold(
    isDeepStrictEqual(standing, wanted),
    () => `after ${step.toString()}: ${JSON.stringify(standing)}, not ${JSON.stringify(wanted)}`,
  );
  const violations = await real.violations();
  hold(violations.length === 0, () => `after ${step.toString()}: ${violations.join("; ")}`);
}

export interface Ask {
  inModel: (life: Lifecycle, approved: boolean) => Outcome;
  request: (real: RealLifecycle, life: Lifecycle) => Promise<ModelDeployerRequest>;
  text: string;
}

/** A caller asks for something, with or without somebody who approves in time. */
export class Asking extends Step {
  readonly #ask: Ask;
  readonly #approval: Approval;

  constructor(ask: Ask, approval: Approval) {
    super();
    this.#ask = ask;
    this.#approval = approval;
  }

  check(): boolean {
    return true;
  }

  inModel(life: Lifecycle): Outcome {
    return this.#ask.inModel(life, this.#approval === "given");
  }

  async inReal(real: RealLifecycle, life: Lifecycle): Promise<Outcome> {
    return real.ask(await this.#ask.request(real, life), this.#approval);
  }

  toString(): string {
    return `${this.#ask.text}${this.#approval === "given" ? "" : `, approval ${this.#approval}`}`;
  }
}

/** The same, but a call fails on the way; another process carries on, and then it is done or it never was. */
export class CutOff extends Step {
  readonly #ask: Ask;
  readonly #cut: Cut;

  constructor(ask: Ask, cut: Cut) {
    super();
    this.#ask = ask;
    this.#cut = cut;
  }

  check(): boolean {
    return true;
  }

  inModel(life: Lifecycle): Outcome {
    return this.#ask.inModel(life, true);
  }

  async inReal(real: RealLifecycle, life: Lifecycle): Promise<Outcome> {
    const { call, when } = this.#cut;
    const request = await this.#ask.request(real, life);
    real.given.wire.fail(call, {
      when,
      times: 1,
      error: new ServiceUnavailableError(call, "it was cut off"),
    });
    const outcome = await real.ask(request, "given");
    real.given.wire.mend();
    await real.holdRollouts();
    await anotherProcess(real.given).worker.tick();
    return outcome;
  }

  override async run(life: Lifecycle, real: RealLifecycle): Promise<void> {
    const before = structuredClone(life);
    const after = structuredClone(life);
    const expected = this.inModel(after);
    const outcome = await this.inReal(real, before);
    await real.settle();
    const known = [expected, "service_unavailable"].includes(outcome);
    hold(known, () => `${this.toString()} ended with ${outcome}, not ${expected}`);
    const isDone = isDeepStrictEqual(await real.standing(after), standingOf(after));
    hold(isDone || outcome !== "done", () => `${this.toString()} was reported done and is not`);
    Object.assign(life, isDone ? after : before);
    await sameStanding(this, life, real);
  }

  toString(): string {
    return `${this.#ask.text} cut off ${this.#cut.when} ${this.#cut.call}`;
  }
}

export interface Happening {
  text: string;
  inModel: (life: Lifecycle) => void;
  inReal: (real: RealLifecycle, life: Lifecycle) => Promise<void>;
  isPossible?: (life: Readonly<Lifecycle>) => boolean;
}

/** Something that nobody asked for. */
export class Happens extends Step {
  readonly #happening: Happening;

  constructor(happening: Happening) {
    super();
    this.#happening = happening;
  }

  check(life: Readonly<Lifecycle>): boolean {
    return this.#happening.isPossible?.(life) ?? true;
  }

  inModel(life: Lifecycle): Outcome {
    this.#happening.inModel(life);
    return "done";
  }

  async inReal(real: RealLifecycle, life: Lifecycle): Promise<Outcome> {
    await this.#happening.inReal(real, life);
    return "done";
  }

  toString(): string {
    return this.#happening.text;
  }
}
