import { Pool } from "undici";
import { noAnswer } from "../../agents/base/deadline.ts";
import { inSpan, traceHeaders } from "../../agents/base/tracing.ts";
import { ServiceRefusedError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { Circuit } from "../../platform/work/circuit.ts";
import { retrying } from "../../platform/work/retries.ts";
import { hasCode } from "../../platform/system_errors.ts";
import { EnvoyReadings, envoyService } from "./admin_readings.ts";

const CALL_TIMEOUT_MS = 3_000;
const ATTEMPTS = 3;

/** One Envoy's admin interface, over its private unix socket. Each call raises ServiceUnavailableError. */
export class EnvoyAdmin extends EnvoyReadings {
  readonly #pool: Pool;
  readonly #circuit = new Circuit({ service: envoyService, halfOpenAfterMs: 1_000, isOutage: isSilence });
  /** Only reads are repeated, and only after a broken connection: a silent Envoy would only be waited for again. */
  readonly #retry = retrying(isBrokenOff, { attempts: ATTEMPTS, firstPauseMs: 20, longestPauseMs: 200 });

  constructor(endpointName: string, socketPath: string) {
    super(endpointName);
    this.#pool = new Pool("http://envoy", { socketPath, connections: 3 });
  }

  /** Stops accepting connections and asks callers to close theirs; requests under way go on. */
  async stopListening(signal: AbortSignal): Promise<void> {
    await this.#call("POST", "/healthcheck/fail", signal);
    await this.#call("POST", "/drain_listeners", signal);
  }

  async disconnect(): Promise<void> {
    await this.#pool.destroy();
  }

  protected override readText(path: string, signal: AbortSignal): Promise<string> {
    return this.#retry.execute(() => this.#call("GET", path, signal));
  }

  async #call(method: "GET" | "POST", path: string, signal: AbortSignal): Promise<string> {
    const [what] = path.split("?");
    const attributes = { "http.request.method": method, endpoint_name: this.endpointName };
    const send = () => this.#send(method, path, signal);
    return this.#circuit.run(`answer ${path}`, signal, () =>
      inSpan(`Envoy ${method} ${what}`, attributes, send, "client"),
    );
  }

  async #send(method: "GET" | "POST", path: string, signal: AbortSignal): Promise<string> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]);
    try {
      const answer = await this.#pool.request({ method, path, headers: traceHeaders(), signal: bounded });
      const text = await answer.body.text();
      if (answer.statusCode === 200) return text;
      throw new ServiceRefusedError(
        envoyService,
        `Envoy of ${this.endpointName}: ${path} answered ${answer.statusCode}: ${text.slice(0, 200)}`,
      );
    } catch (cause) {
      if (cause instanceof ServiceRefusedError) throw cause;
      const absent = hasCode(cause, "ENOENT", "ECONNREFUSED");
      const what = absent
        ? "is not running; a worker starts it, or `reconcile` at once"
        : `did not answer ${path}${bounded.aborted ? `: ${noAnswer(signal, CALL_TIMEOUT_MS)}` : ""}`;
      const failure = absent ? "absent" : bounded.aborted ? "silent" : "broken_off";
      throw new ServiceUnavailableError(envoyService, `Envoy of ${this.endpointName} ${what}`, {
        cause,
        details: { endpoint_name: this.endpointName, failure },
      });
    }
  }
}

function isSilence(error: unknown): boolean {
  return error instanceof ServiceUnavailableError && error.details["failure"] === "silent";
}

function isBrokenOff(error: unknown): boolean {
  return error instanceof ServiceUnavailableError && error.details["failure"] === "broken_off";
}
