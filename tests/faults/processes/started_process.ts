import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { UnexpectedAgentError } from "../../../src/agents/base/agent_error.ts";
import type { Parts } from "../../../src/agents/model_deployer/ports/parts.ts";
import { childEnvironment } from "../../../src/platform/processes/managed_process.ts";
import type { GivenDeployer } from "../../support/deployer.ts";
import { type Call, fromProcessSchema, type Order, type SentError, sent } from "./messages.ts";

export type Said = { answer: Record<string, unknown> } | { error: SentError };

export interface StartOptions {
  holder: string;
  /** Null for a worker. */
  request: Record<string, unknown> | null;
  leaseSeconds?: number;
  retentionSeconds?: number;
  clockOffsetMs?: number;
  envoy?: Order["envoy"];
  /** Called before each call is let on. */
  onCall?: (point: string) => void;
}

const childPath = fileURLToPath(new URL("./agent_process.ts", import.meta.url));
const clockPath = new URL("./shifted_clock.ts", import.meta.url).href;
const CALL_MS = 30_000;

/** A deployer in a process of its own, whose outside is this process's `given`. */
export class StartedProcess {
  /** `part.method` of every call in their order. */
  readonly points: string[] = [];
  readonly #child: ChildProcess;
  readonly #parts: Parts;
  readonly #onCall: (point: string) => void;
  readonly #said = Promise.withResolvers<Said>();
  readonly #exited: Promise<unknown[]>;
  #hold: { at: number; reached: PromiseWithResolvers<string>; released: PromiseWithResolvers<void> } | null =
    null;
  #errors = "";

  constructor(given: GivenDeployer, options: StartOptions) {
    this.#parts = given.capabilities.parts;
    this.#onCall = options.onCall ?? (() => undefined);
    const env = childEnvironment({ CLOCK_OFFSET_MS: String(options.clockOffsetMs ?? 0) });
    this.#child = fork(childPath, [], {
      execArgv: ["--import", clockPath],
      env,
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#exited = once(this.#child, "exit");
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#errors += text));
    this.#child.on("message", (message) => this.#hear(message));
    void this.#exited.then(() => {
      const said = `the process ended with ${this.#child.exitCode ?? this.#child.signalCode}: ${this.#errors}`;
      this.#said.reject(new UnexpectedAgentError(said));
    });
    this.#said.promise.catch(() => undefined);
    const { settings } = given.capabilities;
    const order: Order = {
      database_url: given.world.url,
      holder: options.holder,
      settings: {
        ...settings,
        lease_seconds: options.leaseSeconds ?? settings.lease_seconds,
        retention_seconds: options.retentionSeconds ?? settings.retention_seconds,
      },
      envoy: options.envoy ?? null,
      request: options.request,
    };
    this.#child.send({ order });
  }

  /** The call of that number, counted from 0, waits until `letOn`; resolves with its point, or null if it never comes. */
  holdAt(number: number): Promise<string | null> {
    const hold = {
      at: number,
      reached: Promise.withResolvers<string>(),
      released: Promise.withResolvers<void>(),
    };
    this.#hold = hold;
    return Promise.race([hold.reached.promise, this.#exited.then(() => null)]);
  }

  letOn(): void {
    this.#hold?.released.resolve();
  }

  /** SIGSTOP: nothing in it runs, its connections stay open. */
  stop(): void {
    this.#child.kill("SIGSTOP");
  }

  wake(): void {
    this.#child.kill("SIGCONT");
  }

  terminate(): void {
    this.#child.kill("SIGTERM");
  }

  /** The action's outcome. */
  said(): Promise<Said> {
    return this.#said.promise;
  }

  /** The exit code, null when a signal ended it. */
  async exited(): Promise<number | null> {
    await this.#exited;
    return this.#child.exitCode;
  }

  /** Ends it if it still runs. */
  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  #hear(message: unknown): void {
    const heard = fromProcessSchema.parse(message);
    if ("call" in heard) void this.#answer(heard);
    else this.#said.resolve(heard);
  }

  async #answer(call: Call): Promise<void> {
    const point = `${call.part}.${call.method}`;
    const number = this.points.push(point) - 1;
    this.#onCall(point);
    const hold = this.#hold;
    if (hold?.at === number) {
      hold.reached.resolve(point);
      await hold.released.promise;
    }
    const reply = await this.#carry(call).then(
      (value) => ({ reply: call.call, value }),
      (error: unknown) => ({ reply: call.call, error: sent(error) }),
    );
    if (this.#child.connected) this.#child.send(reply, () => undefined);
  }

  async #carry({ part, method, asks, values, takes_signal }: Call): Promise<unknown> {
    if (!asks) return null;
    const port: unknown = Reflect.get(this.#parts, part);
    const member: unknown = Reflect.get(Object(port), method);
    if (typeof member !== "function") throw new TypeError(`${part} has no ${method}`);
    const options = takes_signal ? [{ signal: AbortSignal.timeout(CALL_MS) }] : [];
    return Reflect.apply(member, port, [...values, ...options]);
  }
}
