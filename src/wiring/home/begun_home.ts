import { setTimeout as delay } from "node:timers/promises";
import { AgentError } from "../../agents/base/agent_error.ts";
import type { Database } from "../../agents/model_deployer/ports/parts.ts";
import type { BentoMLServer } from "../../mlops/bentoml/server.ts";
import { lastServed } from "../../mlops/envoy/last_routes.ts";
import { settingsFor } from "../engines/installed_engines.ts";
import { localServer } from "../engines/local_servers.ts";
import type { Configuration } from "../settings/configuration.ts";
import { type Addresses, resolveAddresses } from "../settings/resolved_addresses.ts";

/** The longest that ending a server which must not serve may take. */
const STOP_MS = 60_000;
/** For how long at most MLflow waits with its start, so that starting servers have the cores to themselves. */
const FIRST_MS = 30_000;
const LOOK_MS = 250;

/** A home that is brought up while the rest of the program is still loaded. */
export interface BegunHome {
  addresses: Promise<Addresses>;
  /** Resolves when the processes of servers that are woken have been started; they answer later. */
  awake: Promise<unknown>;
  /**
   * Ends the servers among those that were woken to which the database gives no traffic. To be called before any router is
   * opened: until then nobody reaches them.
   */
  stopUnrouted(endpoints: Pick<Database["endpoints"], "list">): Promise<void>;
}

interface BeginOptions {
  onProgress: (line: string) => void;
  onBegun: (service: string) => void;
}

/**
 * After a restart of the machine: starts Postgres and Redis, and beside them the servers that had traffic when the routers
 * ended, without waiting for the database to say so; the registry once these answer.
 */
export function beginHome(configuration: Configuration, options: BeginOptions): BegunHome {
  const server = localServer(configuration, "");
  const woken =
    settingsFor("local", configuration) !== null ? wake(configuration, server, options) : noServers();
  const registryAfter = woken.then((names) => untilStarted(names, server));
  const addresses = resolveAddresses(configuration, { ...options, registryMayFollow: true, registryAfter });
  // A failure reaches whoever awaits it; until then it does not count as unhandled.
  addresses.catch(() => undefined);
  return {
    addresses,
    awake: woken,
    stopUnrouted: async (endpoints) => {
      const names = await woken;
      const wanted = names.length === 0 ? [] : (await endpoints.list()).flatMap(withTraffic);
      const others = names.filter((name) => !wanted.includes(name));
      const signal = AbortSignal.timeout(STOP_MS);
      await Promise.all(others.map((name) => server.stop(name, { signal })));
    },
  };
}

const noServers = async (): Promise<string[]> => [];

function withTraffic({ weights }: { weights: Readonly<Record<string, number>> }): string[] {
  return Object.entries(weights).flatMap(([name, weight]) => (weight > 0 ? [name] : []));
}

/** A server that cannot be woken is started later, by whoever reconciles the home. */
async function wake(
  { home }: Configuration,
  server: BentoMLServer,
  { onProgress }: BeginOptions,
): Promise<string[]> {
  const options = { signal: AbortSignal.timeout(STOP_MS) };
  const woken = (await lastServed(home)).map(async (name) => {
    try {
      return (await server.wake(name, options)) ? [name] : [];
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      onProgress(`the server of ${name} waits for the database: ${error.message}`);
      return [];
    }
  });
  return (await Promise.all(woken)).flat();
}

async function untilStarted(names: readonly string[], server: BentoMLServer): Promise<void> {
  const signal = AbortSignal.timeout(FIRST_MS);
  const isStarting = (name: string) =>
    server.observe(name, { signal }).then(
      ({ state }) => state === "starting",
      () => false,
    );
  while ((await Promise.all(names.map(isStarting))).includes(true) && !signal.aborted) await delay(LOOK_MS);
  await server.close();
}
