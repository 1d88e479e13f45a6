import type fc from "fast-check";
import type { ModelDeployerRequest } from "../../src/agents/model_deployer/state/state.ts";
import { checked } from "./checks.ts";
import type { Tally } from "./tally.ts";
import type { Walker } from "./world.ts";

export interface Walk {
  walker: Walker;
  tally: Tally;
}

/** The model knows nothing: what may happen is decided by the deployer alone, and judged by what it says. */
export type Nothing = Record<string, never>;

abstract class Command implements fc.AsyncCommand<Nothing, Walk> {
  check(): boolean {
    return true;
  }

  abstract run(model: Nothing, walk: Walk): Promise<void>;
  abstract toString(): string;
}

/** Asks for something; what is not there yet is asked for by a name that nothing has. */
export class Asked extends Command {
  readonly #name: string;
  readonly requestFor: (walker: Walker) => Promise<ModelDeployerRequest>;

  constructor(name: string, requestFor: (walker: Walker) => Promise<ModelDeployerRequest>) {
    super();
    this.#name = name;
    this.requestFor = requestFor;
  }

  async run(_model: Nothing, { walker, tally }: Walk): Promise<void> {
    await checked(walker, await this.requestFor(walker), tally);
  }

  override toString(): string {
    return this.#name;
  }
}

export class Happens extends Command {
  readonly #name: string;
  readonly #happen: (walk: Walk) => Promise<void>;

  constructor(name: string, happen: (walk: Walk) => Promise<void>) {
    super();
    this.#name = name;
    this.#happen = happen;
  }

  run(_model: Nothing, walk: Walk): Promise<void> {
    return this.#happen(walk);
  }

  override toString(): string {
    return this.#name;
  }
}
