import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { request } from "undici";
import type { Container, Probe } from "./pod_schema.ts";

export interface ContainerPlace {
  /** Name of the network namespace. */
  namespace: string;
  /** Where its root file system is mounted. */
  root: string;
  user: number;
  address: string;
  environment: Record<string, string>;
}

interface Line {
  time: string;
  text: string;
}

/** A container of a pod: one process, started again whenever it ends. */
export class RunningContainer {
  readonly spec: Container;
  readonly lines: Line[] = [];
  restarts = 0;
  isReady = false;
  isStarted = false;
  exitCode: number | null = null;
  readonly #place: ContainerPlace;
  #child: ChildProcess | null = null;
  #isEnding = false;
  #missed = 0;
  #unready = 0;
  #stamp = 0n;

  constructor(spec: Container, place: ContainerPlace) {
    this.spec = spec;
    this.#place = place;
    this.#begin();
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  /** One round of its probes. */
  async probe(): Promise<void> {
    const { startupProbe, readinessProbe, livenessProbe } = this.spec;
    if (this.#child === null) return;
    if (!this.isStarted && startupProbe !== undefined && !(await this.#passes(startupProbe))) return;
    this.isStarted = true;
    const passes = readinessProbe === undefined || (await this.#passes(readinessProbe));
    this.#unready = passes ? 0 : this.#unready + 1;
    this.isReady = passes || (this.isReady && this.#unready < (readinessProbe?.failureThreshold ?? 1));
    if (livenessProbe === undefined) return;
    this.#missed = (await this.#passes(livenessProbe)) ? 0 : this.#missed + 1;
    if (this.#missed > livenessProbe.failureThreshold * livenessProbe.periodSeconds)
      this.#child.kill("SIGKILL");
  }

  kill(): void {
    this.#child?.kill("SIGKILL");
  }

  /** Tells it to end, and ends it when its time is over. */
  async end(graceSeconds: number): Promise<void> {
    const asked = this.spec.lifecycle?.preStop.exec.command ?? [];
    const pause = asked[0] === "sleep" ? Number(asked[1]) : 0;
    await new Promise((resolve) => setTimeout(resolve, pause * 1000));
    this.#isEnding = true;
    const child = this.#child;
    if (child === null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), Math.max(1, graceSeconds - pause) * 1000);
    await ended;
    clearTimeout(timer);
  }

  #begin(): void {
    const { namespace, root, user, environment } = this.#place;
    const expanded = (text: string) =>
      text.replace(/\$\((\w+)\)/g, (whole, name) => environment[String(name)] ?? whole);
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    const child = spawn(
      "ip",
      [
        ...["netns", "exec", namespace, "chroot", `--userspec=${user}:${user}`, root],
        ...["/usr/bin/env", "-i", ...variables],
        ...[...this.spec.command, ...this.spec.args].map(expanded),
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (text) => this.lines.push({ time: this.#now(), text }));
    }
    child.on("exit", (code) => {
      this.#child = null;
      this.isReady = false;
      this.isStarted = false;
      this.exitCode = code ?? 137;
      if (this.#isEnding) return;
      setTimeout(() => {
        if (this.#isEnding) return;
        this.restarts += 1;
        this.#begin();
      }, pauseMs(this.restarts));
    });
  }

  async #passes({ httpGet, timeoutSeconds }: Probe): Promise<boolean> {
    try {
      const answer = await request(`http://${this.#place.address}:${httpGet.port}${httpGet.path}`, {
        signal: AbortSignal.timeout(timeoutSeconds * 1000),
      });
      await answer.body.dump();
      return answer.statusCode < 400;
    } catch {
      return false;
    }
  }

  /** A later line has a later time. */
  #now(): string {
    const now = BigInt(Date.now()) * 1_000_000n;
    this.#stamp = now > this.#stamp ? now : this.#stamp + 1n;
    const seconds = new Date(Number(this.#stamp / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
    return `${seconds}.${String(this.#stamp % 1_000_000_000n).padStart(9, "0")}Z`;
  }
}

/** None before the first restart, then 10 s and twice as long each time. */
const pauseMs = (restarts: number) => (restarts === 0 ? 0 : Math.min(300_000, 5_000 * 2 ** restarts));
