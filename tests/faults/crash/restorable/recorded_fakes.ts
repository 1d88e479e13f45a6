import type { TrafficRouter } from "../../../../src/agents/model_deployer/ports/traffic_router_port.ts";
import { createFakes, type Fakes } from "../../../support/deployer.ts";
import { withoutSignals, withSignals } from "../children/portable_values.ts";

/** A call that only looks changes nothing, and need not be repeated. */
const LOOKS = /^(observe|list|find|describe|fetch|figures|recent|recall|experience|projectionOf|serverOf)/;
const CALL_MS = 30_000;

interface Done {
  part: keyof Fakes;
  method: string;
  values: unknown[];
}

/** The parts outside the database, which can be put back into a state that they were in: by doing all of it again. */
export class RecordedFakes {
  /** Stand for the parts, whichever these are at the time. */
  readonly parts: Fakes;
  #current = createFakes();
  #done: Done[] = [];
  #router: TrafficRouter | null = null;

  constructor() {
    const { registry, packager, server, router, predictionLogs, teamMetrics } = this.#current;
    const { workingMemory, episodicMemory, proceduralMemory } = this.#current;
    this.parts = {
      registry: this.#recorded("registry", registry),
      packager: this.#recorded("packager", packager),
      server: this.#recorded("server", server),
      router: this.#recorded("router", router),
      predictionLogs: this.#recorded("predictionLogs", predictionLogs),
      teamMetrics: this.#recorded("teamMetrics", teamMetrics),
      workingMemory: this.#recorded("workingMemory", workingMemory),
      episodicMemory: this.#recorded("episodicMemory", episodicMemory),
      proceduralMemory: this.#recorded("proceduralMemory", proceduralMemory),
    };
  }

  /** From now on what the port `TrafficRouter` names is asked of this one, which keeps its own past. */
  replaceRouter(router: TrafficRouter): void {
    this.#router = router;
  }

  /** All effects so far, for `restore`. */
  keep(): readonly Done[] {
    return [...this.#done];
  }

  async restore(done: readonly Done[]): Promise<void> {
    this.#current = createFakes();
    this.#done = [...done];
    for (const { part, method, values } of done)
      await call(this.#current[part], method, values).catch(ignoreAgain);
  }

  /** A call from another process, its arguments as `withoutSignals` gave them. */
  async serve({
    part,
    method,
    values,
  }: {
    part: string;
    method: string;
    values: unknown[];
  }): Promise<unknown> {
    const name = Object.keys(this.parts).find((one): one is keyof Fakes => one === part);
    if (name === undefined) throw new TypeError(`there is no part ${part}`);
    return call(this.parts[name], method, values);
  }

  #recorded<T extends object>(part: keyof Fakes, kind: T): T {
    return new Proxy(kind, {
      get: (_, key) => {
        const isReplaced = part === "router" && this.#router !== null && isOfThePort(key);
        const target: object = (isReplaced ? this.#router : null) ?? this.#current[part];
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== "function" || typeof key !== "string") return member;
        return (...values: unknown[]): unknown => {
          if (!LOOKS.test(key) && !isReplaced)
            this.#done.push({ part, method: key, values: withoutSignals(values) });
          return Reflect.apply(member, target, values);
        };
      },
    });
  }
}

function isOfThePort(method: string | symbol): boolean {
  return ["open", "apply", "observe", "figures", "close"].includes(String(method));
}

async function call(target: object, method: string, values: unknown[]): Promise<unknown> {
  const member: unknown = Reflect.get(target, method);
  if (typeof member !== "function") throw new TypeError(`there is no method ${method}`);
  return Reflect.apply(member, target, withSignals(values, CALL_MS));
}

/** A call that was refused the first time is refused again. */
function ignoreAgain(error: unknown): void {
  if (!(error instanceof Error)) throw error;
}
