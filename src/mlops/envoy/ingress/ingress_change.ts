import { setTimeout as delay } from "node:timers/promises";
import type { Ingress } from "../../../agents/model_deployer/domain/access/ingress_policy.ts";
import {
  ConflictError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../../agents/model_deployer/errors.ts";
import { type EnvoyReadings, envoyService, type IngressSubscriptions } from "../admin_readings.ts";
import type { GenerationFence, Superseded } from "../generation_fence.ts";

export type IngressFile = "filters" | "certificate" | "listener";
/** Callers are held to the new policy before the listener changes, so that nobody gets in between the two. */
const order: readonly IngressFile[] = ["filters", "certificate", "listener"];

/** Carries an endpoint's policy to its Envoy, and reads what Envoy says of it. */
export interface IngressCarrier {
  admin: Pick<EnvoyReadings, "ingress">;
  fence: Pick<GenerationFence, "claim"> & {
    publish(
      revision: number,
      name: IngressFile,
      content: string,
    ): Promise<{ outcome: "published" } | Superseded>;
  };
  /** Null where there is none yet. */
  former(name: IngressFile): Promise<string | null>;
  /** Without a certificate where callers come without TLS. */
  contents(ingress: Ingress): Promise<Partial<Record<IngressFile, string>>>;
  /** Envoy's own words on what it rejected last. */
  complaint(): Promise<string>;
  acknowledgement: { deadlineMs: number; pollMs: number };
}

/** Lays the files down for an Envoy that is not started yet, unless somebody has a newer revision. */
export async function prepareIngress(
  { fence, contents }: Pick<IngressCarrier, "fence" | "contents">,
  ingress: Ingress,
): Promise<void> {
  const claim = await fence.claim(ingress.revision);
  if (claim.outcome === "superseded") return;
  const wanted = await contents(ingress);
  for (const name of order) {
    const content = wanted[name];
    if (content !== undefined) await fence.publish(ingress.revision, name, content);
  }
}

/**
 * Has a running Envoy enforce the policy, and returns the revision in force: this one, or a newer one.
 * @throws ServiceRefusedError when Envoy rejects it, with what was in force put back; ConflictError when a newer revision
 * was claimed and is not in force yet; ServiceUnavailableError without an acknowledgement in time.
 */
export async function changeIngress(
  carrier: IngressCarrier,
  ingress: Ingress,
  signal: AbortSignal,
): Promise<number> {
  const { revision, endpoint_name } = ingress;
  const claim = await carrier.fence.claim(revision);
  if (claim.outcome === "superseded") return supersededBy(carrier, ingress, claim.by, signal);
  const wanted = await carrier.contents(ingress);
  for (const name of order) {
    const content = wanted[name];
    const former = await carrier.former(name);
    if (content === undefined || (content === former && (await isInForce(carrier, name, revision, signal))))
      continue;
    const before = await present(carrier, endpoint_name, signal);
    const published = await carrier.fence.publish(revision, name, content);
    if (published.outcome === "superseded") return supersededBy(carrier, ingress, published.by, signal);
    if (name === "certificate") continue;
    await untilInForce(carrier, ingress, { name, former, rejected: before[name].rejected }, signal);
  }
  return revision;
}

async function isInForce(
  { admin }: IngressCarrier,
  name: IngressFile,
  revision: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (name === "certificate") return true;
  return (await admin.ingress(signal))?.[name].version === String(revision);
}

async function untilInForce(
  carrier: IngressCarrier,
  { revision, endpoint_name }: Ingress,
  { name, former, rejected }: { name: "filters" | "listener"; former: string | null; rejected: number },
  signal: AbortSignal,
): Promise<void> {
  const { deadlineMs, pollMs } = carrier.acknowledgement;
  const details = { endpoint_name, revision };
  for (const began = performance.now(); performance.now() - began < deadlineMs;) {
    const found = (await present(carrier, endpoint_name, signal))[name];
    if (found.version === String(revision)) return;
    if (found.rejected > rejected) {
      if (former !== null) await carrier.fence.publish(revision, name, former);
      const message = `Envoy rejects the ${name} of policy ${revision} of endpoint ${endpoint_name}: ${await carrier.complaint()}`;
      throw new ServiceRefusedError(envoyService, message, { details });
    }
    await delay(pollMs);
  }
  const message = `Envoy of endpoint ${endpoint_name} did not acknowledge the ${name} of policy ${revision} within ${deadlineMs / 1000} s`;
  throw new ServiceUnavailableError(envoyService, message, { details });
}

async function supersededBy(
  carrier: IngressCarrier,
  { endpoint_name, revision }: Ingress,
  by: number,
  signal: AbortSignal,
): Promise<number> {
  const found = revisionOf(await present(carrier, endpoint_name, signal));
  if (found !== null && found >= revision) return found;
  throw new ConflictError(
    `policy ${revision} of endpoint ${endpoint_name} is stale: somebody has begun to enforce policy ${by}`,
    { details: { endpoint_name, revision, newer_revision: by } },
  );
}

/** The revision that the whole of an Envoy enforces; null while its parts differ. */
export function revisionOf({ filters, listener }: IngressSubscriptions): number | null {
  return filters.version !== "" && filters.version === listener.version ? Number(filters.version) : null;
}

async function present(
  { admin }: IngressCarrier,
  endpointName: string,
  signal: AbortSignal,
): Promise<IngressSubscriptions> {
  const found = await admin.ingress(signal);
  if (found !== null) return found;
  throw new ServiceUnavailableError(
    envoyService,
    `Envoy of endpoint ${endpointName} was started by an earlier version, and takes no policy before it is started again`,
  );
}
