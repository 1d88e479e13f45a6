import { AgentError } from "../../agents/base/agent_error.ts";
import { endOfCertificate } from "../../platform/certificate_files.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import { endingCertificates, endingSentences } from "../../platform/certificates.ts";
import type { DiskReserve } from "../../platform/disk/disk_reserve.ts";
import { roomOf, shortages } from "../../platform/disk/disk_room.ts";
import type { CertificateWatch } from "../../worker/notice_rounds.ts";
import type { Configuration } from "../settings/configuration.ts";

/** A worker's watches besides rollouts: room on the disk, and certificates that end soon. */
export const watchesOf = (configuration: Configuration, reserve: DiskReserve, database: DeployerDatabase) =>
  [roomOfHome(configuration, reserve), certificatesOf(configuration, database)] as const;

/**
 * Fills the disk's reserve again.
 * @returns a sentence for each disk that is nearly full
 */
function roomOfHome(
  { home, cache, lowDiskBytes }: Configuration,
  reserve: DiskReserve,
): () => Promise<string[]> {
  return async () => {
    await reserve.keep();
    return shortages(await roomOf([home, cache]), lowDiskBytes);
  };
}

/**
 * Looks at the certificates of all services that are asked over TLS, and at those that endpoints show to their
 * callers.
 */
function certificatesOf(
  { mlflowUrl, supabaseUrl, notifications }: Configuration,
  database: DeployerDatabase,
): CertificateWatch {
  const { consoleUrl, mail } = notifications;
  return async (signal) => {
    const targets = (await database.sinks.list()).map(({ target }) =>
      target.kind === "email" ? null : `https://${target.host}/`,
    );
    const urls = [mlflowUrl, supabaseUrl, consoleUrl, mail.smtpUrl, ...targets].filter((url) => url !== null);
    const now = Date.now();
    return [...(await endingCertificates(urls, now, signal)), ...(await ofEndpoints(database, now))];
  };
}

async function ofEndpoints(
  { endpoints, ingressPolicies }: Pick<DeployerDatabase, "endpoints" | "ingressPolicies">,
  now: number,
): Promise<string[]> {
  const seen = (await endpoints.list()).map(async ({ endpoint_name }) => {
    const { tls } = (await ingressPolicies.wanted(endpoint_name)).policy;
    if (tls === null) return [];
    const name = `${endpoint_name} in ${tls.certificate}`;
    try {
      return endingSentences(name, await endOfCertificate(tls.certificate), now);
    } catch (error) {
      if (error instanceof AgentError) return [`The certificate of ${endpoint_name}: ${error.message}`];
      throw error;
    }
  });
  return (await Promise.all(seen)).flat();
}
