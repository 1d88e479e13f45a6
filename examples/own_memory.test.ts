import { InvalidRequestError, ServiceRefusedError, ServiceUnavailableError } from "model-deployer/errors";
import type { CallOptions, WorkingMemory } from "model-deployer/ports";
import { describeWorkingMemory } from "model-deployer/testing/contracts";

class OwnMemory implements WorkingMemory {
  readonly #manifests = new Map<string, Record<string, unknown>>();

  async rememberManifest(session: string, manifest: Record<string, unknown>, options: CallOptions) {
    check(session, options);
    const text = JSON.stringify(manifest, refuseWhatIsNoJson);
    if (text.length > 256 * 1024) throw new ServiceRefusedError("own memory", "the manifest is too large");
    this.#manifests.set(session, structuredClone(manifest));
  }

  async recallManifest(session: string, options: CallOptions) {
    check(session, options);
    return this.#manifests.get(session) ?? null;
  }
}

function check(session: string, { signal }: CallOptions): void {
  if (!/^sess_[a-z0-9]{16}$/.test(session)) throw new InvalidRequestError(`${session} is no session`);
  if (signal.aborted) throw new ServiceUnavailableError("own memory", "it is too late");
}

function refuseWhatIsNoJson(this: unknown, key: string, value: unknown): unknown {
  const original: unknown = typeof this === "object" && this !== null ? Reflect.get(this, key) : value;
  const isPlain = !(original instanceof Date) && typeof value !== "function" && !Number.isNaN(value);
  if (isPlain) return value;
  throw new ServiceRefusedError("own memory", `${key} is not JSON`);
}

describeWorkingMemory("own memory", () => new OwnMemory());
