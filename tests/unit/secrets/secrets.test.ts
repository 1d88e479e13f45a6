import { once } from "node:events";
import { createServer } from "node:net";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import { readConfiguration } from "../../../src/wiring/settings/configuration.ts";
import { createDatabase } from "../../../src/database/index.ts";
import { SupabaseEpisodicMemory } from "../../../src/memory/episodic_memory.ts";
import { migrateMemory } from "../../../src/memory/migrate_memory.ts";
import { createMemoryClient } from "../../../src/memory/supabase_client.ts";
import { RedisWorkingMemory } from "../../../src/memory/working_memory.ts";
import { MLflowClient } from "../../../src/mlops/mlflow/mlflow_client.ts";
import { childEnvironment } from "../../../src/platform/processes/child_environment.ts";

/** One planted in every place that takes one; nobody listens at the addresses. */
const SECRET = "planted-5ecret-value";
const environment = {
  DATABASE_URL: `postgresql://deployer:${SECRET}@127.0.0.1:1/deployer`,
  REDIS_URL: `redis://default:${SECRET}@127.0.0.1:1`,
  MLFLOW_TRACKING_URI: "http://127.0.0.1:1",
  MLFLOW_TRACKING_USERNAME: "deployer",
  MLFLOW_TRACKING_PASSWORD: SECRET,
  SUPABASE_URL: "http://127.0.0.1:1",
  SUPABASE_KEY: SECRET,
  MODEL_DEPLOYER_TOKEN: SECRET,
};
const options = { signal: AbortSignal.timeout(120_000) };

/** All that anybody could print of it: message, stack, details, and the whole chain of causes, hidden fields too. */
const allOf = (error: unknown): string =>
  [inspect(error, { depth: 20, showHidden: true, breakLength: Infinity }), JSON.stringify(error)].join("\n");

async function raisedBy(work: () => Promise<unknown>): Promise<AgentError> {
  const error = await work().then(
    () => expect.fail("nobody listens, and yet it was answered"),
    (raised: unknown) => raised,
  );
  return error instanceof AgentError ? error : expect.fail(`not typed: ${allOf(error)}`);
}

const configuration = readConfiguration(environment);

const reached: [string, () => Promise<unknown>][] = [
  [
    "the database",
    async () => {
      const database = createDatabase({ url: configuration.databaseUrl ?? "", holder: "test" });
      return database.clock.now().finally(() => database.close());
    },
  ],
  ["the memory's migration", () => migrateMemory(configuration.databaseUrl ?? "", options)],
  [
    "working memory",
    async () => {
      const memory = new RedisWorkingMemory({ redisUrl: configuration.redisUrl ?? "" });
      return memory
        .rememberManifest("sess_0123456789abcdef", { deployment_id: "d1" }, options)
        .finally(() => memory.close());
    },
  ],
  [
    "the registry",
    async () => {
      const { mlflowUrl, mlflowAuth: auth } = configuration;
      const client = new MLflowClient({ trackingUri: mlflowUrl ?? "", auth });
      return client.getRun("run1", options.signal);
    },
  ],
  [
    "episodic memory",
    async () => {
      const { supabaseUrl, supabaseKey } = configuration;
      const client = createMemoryClient({
        databaseUrl: "",
        supabaseUrl: supabaseUrl ?? undefined,
        supabaseKey: supabaseKey ?? undefined,
      });
      return new SupabaseEpisodicMemory(client).recent({ limit: 1 }, options).finally(() => client.close());
    },
  ],
];

test.each(reached)(
  "%s that does not answer: no error tells a secret, nor do its causes",
  async (_, reach) => {
    const error = await raisedBy(reach);
    expect(error.code).toBe("service_unavailable");
    expect(allOf(error)).not.toContain(SECRET);
  },
);

/** A server that answers whatever it is sent with the same bytes. */
async function answering(bytes: string): Promise<{ port: number; close: () => void }> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined).on("data", () => socket.write(bytes));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : expect.fail("no port");
  return { port, close: () => server.close() };
}

test("a Redis that refuses the password: no error tells it", async () => {
  const { port, close } = await answering("-WRONGPASS invalid username-password pair\r\n");
  const memory = new RedisWorkingMemory({ redisUrl: `redis://default:${SECRET}@127.0.0.1:${port}` });
  try {
    const error = await raisedBy(() =>
      memory.rememberManifest("sess_0123456789abcdef", { deployment_id: "d1" }, options),
    );
    expect(allOf(error)).not.toContain(SECRET);
  } finally {
    await memory.close();
    close();
  }
});

test("an MLflow that refuses the credentials: no error tells them", async () => {
  const body = '{"error_code":"PERMISSION_DENIED","message":"no"}';
  const head = `HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  const { port, close } = await answering(`${head}\r\n\r\n${body}`);
  const auth = { kind: "bearer" as const, token: SECRET };
  const client = new MLflowClient({ trackingUri: `http://127.0.0.1:${port}`, auth });
  try {
    const error = await raisedBy(() => client.getRun("run1", options.signal));
    expect(allOf(error)).not.toContain(SECRET);
  } finally {
    close();
  }
});

test.each(Object.keys(environment))(
  "a malformed %s is refused by its name, and its value is not shown",
  (name) => {
    const malformed = { ...environment, MODEL_DEPLOYER_LEASE_SECONDS: "never", [name]: ` ${SECRET}` };
    try {
      readConfiguration(malformed);
      expect.fail("it was taken");
    } catch (error) {
      expect(allOf(error)).toContain("MODEL_DEPLOYER_LEASE_SECONDS");
      expect(allOf(error)).not.toContain(SECRET);
    }
  },
);

test("a child process gets none of them", () => {
  const before = { ...process.env };
  Object.assign(process.env, environment);
  try {
    expect(JSON.stringify(childEnvironment())).not.toContain(SECRET);
  } finally {
    for (const name of Object.keys(environment)) {
      if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = before[name];
    }
  }
});
