import type { Step } from "../agents/model_deployer/domain/plan.ts";
import { ServiceUnavailableError } from "../agents/model_deployer/errors.ts";

export interface Fault {
  /** The error that is raised; an unavailable service unless given. */
  error: Error;
  /** `after` lets the call have its effect first: the reply is lost. */
  when: "before" | "after";
  times: number;
}

/** The call that has a step's effect. */
const CALL_OF = {
  register_in_registry: "registry.registerVersion",
  pin_artifact: "registry.fetchArtifact",
  package_model: "packager.packageModel",
  start_server: "server.start",
  open_endpoint: "router.open",
  replay_rows: "rowServers.predictRow",
  want_route: "journal.record",
  apply_route: "router.apply",
  stop_server: "server.stop",
  give_back_server: "server.handOver",
  drain_server: "server.stop",
  close_endpoint: "router.close",
} as const satisfies Record<Step["step"], string>;

/** Stands between the agent and its parts: notes every call as `<part>.<method>`, and lets calls fail or hang. */
export class Wire {
  readonly calls: string[] = [];
  readonly #faults = new Map<string, Fault>();
  readonly #hanging = new Set<string>();
  readonly #held = new Map<string, { reached: () => void; released: Promise<void> }>();

  /** The next `times` calls raise; for ever unless told. */
  fail(call: string, fault: Partial<Fault> = {}): void {
    const [service = call] = call.split(".");
    const { error = new ServiceUnavailableError(service, `${call} does not answer`) } = fault;
    this.#faults.set(call, { error, when: fault.when ?? "before", times: fault.times ?? Infinity });
  }

  /** As `fail`, of the call that has the effect of this kind of step. */
  failStep(step: Step["step"], fault: Partial<Fault> = {}): void {
    this.fail(CALL_OF[step], fault);
  }

  /** Calls wait until their caller gives up. */
  hang(call: string): void {
    this.#hanging.add(call);
  }

  /** The next call of this method waits, as a stopped process does, until `release`; `reached` says that it got there. */
  hold(call: string): { reached: Promise<void>; release: () => void } {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#held.set(call, { reached: reached.resolve, released: released.promise });
    return { reached: reached.promise, release: released.resolve };
  }

  mend(): void {
    this.#faults.clear();
    this.#hanging.clear();
  }

  around<T extends object>(part: string, port: T): T {
    return new Proxy(port, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== "function") return member;
        return (...values: unknown[]): unknown => {
          const call = `${part}.${String(key)}`;
          this.calls.push(call);
          return this.#carry(call, values, () => Reflect.apply(member, target, values));
        };
      },
    });
  }

  async #carry(call: string, values: unknown[], real: () => unknown): Promise<unknown> {
    if (this.#hanging.has(call)) await givenUp(call, values);
    const held = this.#held.get(call);
    this.#held.delete(call);
    held?.reached();
    await held?.released;
    const fault = this.#takeFault(call);
    if (fault?.when === "before") throw fault.error;
    const answer = await real();
    if (fault?.when === "after") throw fault.error;
    return answer;
  }

  #takeFault(call: string): Fault | null {
    const fault = this.#faults.get(call);
    if (fault === undefined || fault.times === 0) return null;
    fault.times -= 1;
    return fault;
  }
}

function givenUp(call: string, values: unknown[]): Promise<never> {
  const signal = values.map(signalOf).find((one) => one !== null);
  return new Promise((_, reject) => {
    const giveUp = () => {
      reject(new ServiceUnavailableError(call, `${call} gave no answer in time`, { cause: signal?.reason }));
    };
    if (signal?.aborted === true) giveUp();
    signal?.addEventListener("abort", giveUp, { once: true });
  });
}

function signalOf(value: unknown): AbortSignal | null {
  if (typeof value !== "object" || value === null) return null;
  const signal: unknown = Reflect.get(value, "signal");
  return signal instanceof AbortSignal ? signal : null;
}
