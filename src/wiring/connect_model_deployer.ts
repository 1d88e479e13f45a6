import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Configuration } from "./settings/configuration.ts";
import { createDatabase, type DeployerDatabase } from "../database/index.ts";
import { DiskReserve } from "../platform/disk/disk_reserve.ts";
import { ensureToolsEnvironment } from "../platform/python/python_environment.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { homeSecrets } from "./home/home_secrets.ts";
import { type Addresses, resolveAddresses } from "./settings/resolved_addresses.ts";
import type { SecretKeeper } from "../agents/model_deployer/ports/notification_ports.ts";
import type { ModelDeployerOptions, ModelDeployer } from "./model_deployer.ts";

/**
 * Builds everything from a parsed configuration; what has no address is brought up in the home.
 * @throws ConfigurationError | ServiceUnavailableError | NotAuthenticatedError
 */
export async function connectModelDeployer(
  configuration: Configuration,
  options: ModelDeployerOptions = {},
): Promise<ModelDeployer> {
  const telemetry = await createTelemetry(configuration.telemetry);
  const addresses = await (options.begun?.addresses ?? resolveAddresses(configuration, options));
  const tools = await toolsOf(configuration, options);
  const reserve = new DiskReserve(configuration);
  await reserve.keep().catch(ignoreUnkept);
  const makeRoom = () => reserve.release();
  const database = openDatabase(configuration, addresses, makeRoom);
  const secrets = await preparedSecrets(configuration, database, options);
  await options.begun?.stopUnrouted(database.endpoints);
  const { degraded } = await database.rights();
  if (degraded !== null) options.onProgress?.(degraded);
  // The agent's graph and the drivers are most of what a command loads: none of it is needed to ask the database.
  const { assembleOverHome: assembleDeployer } = await import("./assembled_deployer.ts");
  const opened = { telemetry, addresses, tools, reserve, makeRoom, database, secrets, degraded };
  return assembleDeployer(configuration, opened, options);
}

/** Brings the tables up to date, and seals what an earlier version kept in clear text. */
async function preparedSecrets(
  configuration: Configuration,
  database: DeployerDatabase,
  { installation = "standard" }: ModelDeployerOptions,
): Promise<SecretKeeper> {
  await database.migrate({ installation });
  const secrets = homeSecrets(configuration);
  await database.sinks.sealPlain(secrets);
  return secrets;
}

const toolsOf = ({ cache, limits }: Configuration, { onProgress }: ModelDeployerOptions) =>
  ensureToolsEnvironment({
    cacheDirectory: cache,
    limitSeconds: limits.environmentSeconds,
    ...(onProgress && { onProgress }),
  });

/** An embedded server lies on the home's disk, where the reserve can make room; another server's disk is not ours. */
function openDatabase(
  { databaseUrl }: Configuration,
  { databaseUrl: url, databaseOwnerUrl: ownerUrl }: Addresses,
  makeRoom: () => boolean,
): DeployerDatabase {
  const holder = `${hostname()}:${process.pid}:${randomUUID()}`;
  return createDatabase({ url, ownerUrl, holder, makeRoom: databaseUrl === null ? makeRoom : undefined });
}

/**
 * Without the reserve a rollback has no room of its own on a full disk; the worker reports that, and all else goes on.
 */
function ignoreUnkept(error: unknown): void {
  if (!(error instanceof Error && "code" in error)) throw error;
}
