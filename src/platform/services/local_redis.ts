import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { childEnvironment } from "../processes/child_environment.ts";
import { serviceRunDirectory, type LocalService } from "./local_service.ts";
import { keepSecret } from "./local_secret.ts";

/** A Redis of its own: password, one append-only file, 127.0.0.1 only. */
export function localRedis(homeDirectory: string, redisServer: string): LocalService {
  const directory = join(homeDirectory, "redis");
  const password = () => keepSecret(join(serviceRunDirectory(homeDirectory), "redis.password"));
  const url = async (port: number) => `redis://:${await password()}@127.0.0.1:${port}/0`;
  return {
    name: "redis",
    readyDeadlineMs: 20_000,
    stopOptions: { graceMs: 10_000 },
    async prepare(port) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      // A file keeps the password out of the list of processes.
      const configuration = join(directory, "redis.conf");
      const lines = [
        "bind 127.0.0.1",
        `port ${port}`,
        `requirepass ${await password()}`,
        `dir ${JSON.stringify(directory)}`,
        "appendonly yes",
        'save ""',
        "maxmemory 256mb",
        "daemonize no",
      ];
      await writeFile(configuration, `${lines.join("\n")}\n`, { mode: 0o600 });
      return { command: redisServer, args: [configuration], env: childEnvironment() };
    },
    async probe(port) {
      await ping(await url(port));
    },
    url,
  };
}

async function ping(url: string): Promise<void> {
  const { Redis } = await import("ioredis");
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 2_000,
    commandTimeout: 2_000,
    retryStrategy: () => null,
  });
  client.on("error", () => undefined); // the rejected call says the same
  try {
    await client.connect();
    await client.ping();
  } finally {
    client.disconnect();
  }
}
