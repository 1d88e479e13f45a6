import type { Route } from "../../src/agents/model_deployer/domain/traffic/rollout.ts";
import { createApi } from "../../src/api/api.ts";
import { listen } from "../../src/api/api_server.ts";
import { createDatabase } from "../../src/database/index.ts";
import { readConsoleFiles } from "../../src/api/console_files.ts";
import { givenSecrets } from "../../tests/support/given/given_secrets.ts";
import { PretendRouter } from "../rollouts/pretend.ts";
import { pretendParts, SETTINGS } from "../rollouts/worker.ts";
import { say } from "../support/report.ts";

/**
 * The API and the page in a process of their own, whose CPU is nobody else's. It tells its address once, and answers each
 * message with the milliseconds of CPU that it has used.
 *
 * usage: node bench/console/served_api.ts <database's url> <folder of the built page>, with a channel to the parent
 */
const [url = "", folder = ""] = process.argv.slice(2);
const database = createDatabase({ url, holder: "bench" });
const router = Object.assign(new PretendRouter(0), {
  /** Has in force what is wanted. */
  observe: async (endpointName: string): Promise<Route | null> => {
    const endpoint = await database.endpoints.get(endpointName);
    if (endpoint === null) return null;
    const { generation, weights, mirror_deployment_id } = endpoint;
    return { endpoint_name: endpointName, generation, weights, mirror_deployment_id };
  },
});
const parts = pretendParts(database, router);
const api = createApi({
  deployer: { parts, settings: SETTINGS, database, secrets: givenSecrets() },
  statusSource: {
    database,
    router,
    ingress: null,
    server: { observe: parts.server.observe.bind(parts.server), trySample: async () => ({ sample: "none" }) },
    shortages: async () => [],
    underWay: async () => [],
  },
  version: "0.0.0",
  onUnexpected: (error) => say(String(error)),
  console: await readConsoleFiles([folder]),
});
const server = await listen(api, { host: "127.0.0.1", port: 0 });
process.send?.({ url: server.url });
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuMs: (user + system) / 1000 });
});
process.once("disconnect", () => {
  void server.close().then(() => database.close());
});
