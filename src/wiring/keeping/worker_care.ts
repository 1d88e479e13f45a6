import type { DeployerDatabase } from "../../database/index.ts";
import { endingCertificates } from "../../platform/certificates.ts";
import type { DiskReserve } from "../../platform/disk/disk_reserve.ts";
import { roomOf, shortages } from "../../platform/disk/disk_room.ts";
import type { CertificateWatch } from "../../worker/notice_rounds.ts";
import type { Configuration } from "../settings/configuration.ts";

/** The worker's care for other things than rollouts. */
export const careOf = (configuration: Configuration, reserve: DiskReserve, database: DeployerDatabase) =>
  [roomOfHome(configuration, reserve), certificatesOf(configuration, database)] as const;

/** The worker's care for the disk: it fills the reserve again, and warns before the disk is full. */
function roomOfHome(
  { home, cache, lowDiskBytes }: Configuration,
  reserve: DiskReserve,
): () => Promise<string[]> {
  return async () => {
    await reserve.keep();
    return shortages(await roomOf([home, cache]), lowDiskBytes);
  };
}

/** Of all that is asked over TLS. */
function certificatesOf(
  { mlflowUrl, supabaseUrl, notifications }: Configuration,
  { sinks }: DeployerDatabase,
): CertificateWatch {
  const { consoleUrl, mail } = notifications;
  return async (signal) => {
    const targets = (await sinks.list()).map(({ target }) =>
      target.kind === "email" ? null : `https://${target.host}/`,
    );
    const urls = [mlflowUrl, supabaseUrl, consoleUrl, mail.smtpUrl, ...targets].filter((url) => url !== null);
    return endingCertificates(urls, Date.now(), signal);
  };
}
