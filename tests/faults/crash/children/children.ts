import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UnexpectedAgentError } from "../../../../src/agents/base/agent_error.ts";
import { childEnvironment } from "../../../../src/platform/processes/managed_process.ts";
import { carry } from "../carried_errors.ts";
import { type Call, fromChildSchema, type Lived, type Order } from "./protocol.ts";

/** How a process ended that was told to die. */
export type Ending =
  | { ended: "killed"; at: string }
  /** It passed fewer points than the one to die at, and did what it was to do. */
  | ({ ended: "lived" } & Lived);

const childPath = fileURLToPath(new URL("./child.ts", import.meta.url));
/** Compiled code of earlier children, without which each would take twice as long to be ready. */
const compileCache = join(tmpdir(), "model-deployer-fault-suite-code");
/** A real server may take long to start on a busy machine. */
const CASE_MS = 240_000;

/** Keeps some processes ready, for most of what a case costs is their start. */
export class ChildPool {
  readonly #idle: Child[] = [];
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
    this.#fill();
  }

  /** One process does what is ordered; `serve` answers its calls to the parts that outlive it. */
  async run(order: Order, serve: (call: Call) => Promise<unknown>): Promise<Ending> {
    const child = this.#idle.shift() ?? new Child();
    this.#fill();
    try {
      return await child.run(order, serve);
    } finally {
      await child.end();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((child) => child.end()));
  }

  #fill(): void {
    while (this.#idle.length < this.#size) this.#idle.push(new Child());
  }
}

class Child {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  readonly #ready = Promise.withResolvers<void>();
  readonly #lived = Promise.withResolvers<Lived>();
  #serve: (call: Call) => Promise<unknown> = () => Promise.reject(new TypeError("no case is under way"));
  #said = "";

  constructor() {
    this.#process = fork(childPath, [], {
      execArgv: [],
      env: { ...childEnvironment({}), NODE_COMPILE_CACHE: compileCache },
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#ended = once(this.#process, "close");
    for (const output of [this.#process.stdout, this.#process.stderr]) {
      output?.setEncoding("utf8").on("data", (text: string) => (this.#said += text));
    }
    this.#process.on("message", (message) => this.#hear(message));
  }

  async run(order: Order, serve: (call: Call) => Promise<unknown>): Promise<Ending> {
    this.#serve = serve;
    const deadline = AbortSignal.timeout(CASE_MS);
    const late = once(deadline, "abort").then((): never => {
      throw this.#wrong(`did not end within ${CASE_MS} ms`);
    });
    const dead = this.#ended.then(() => this.#deathOf());
    await Promise.race([this.#ready.promise, dead, late]);
    this.#process.send(order);
    const lived = this.#lived.promise.then((outcome) => ({ ended: "lived" as const, ...outcome }));
    return Promise.race([lived, dead, late]);
  }

  async end(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  /** Only one that was told to die has a reason to be killed. */
  #deathOf(): Ending {
    const at = this.#said.trim();
    if (this.#process.signalCode === "SIGKILL" && /^(before|after) [^\n]*$/.test(at))
      return { ended: "killed", at };
    throw this.#wrong(`ended with ${this.#process.exitCode ?? this.#process.signalCode}`);
  }

  #wrong(what: string): UnexpectedAgentError {
    return new UnexpectedAgentError(`the process that was to be killed ${what}: ${this.#said}`);
  }

  #hear(message: unknown): void {
    const heard = fromChildSchema.parse(message);
    if ("ready" in heard) this.#ready.resolve();
    else if ("call" in heard) void this.#answer(heard);
    else this.#lived.resolve(heard);
  }

  async #answer(call: Call): Promise<void> {
    const reply = await this.#serve(call).then(
      (value) => ({ reply: call.call, value }),
      (error: unknown) => ({ reply: call.call, error: carry(error) }),
    );
    // Whoever is dead by now is not told.
    if (this.#process.connected) this.#process.send(reply, () => undefined);
  }
}
