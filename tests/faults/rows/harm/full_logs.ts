import { readdir, stat } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pollUntil } from "../../../../src/testing/poll.ts";
import type { HarmCase } from "../../harm/harm_case.ts";
import { harmRow } from "../../harm/harm_row.ts";

const PRINTED_BYTES = 1_000_000;
/** What a server may keep of what its model prints, its older files included, and the rest of the home beside it. */
const BOUND_BYTES = 96 * 1024 * 1024;
/** A counted line now and then. */
const LITTLE_BYTES = 1024 * 1024;

/** Cases 6 and 24 of what was seen to hurt production. */
export const fullLogs = harmRow({
  name: "full-logs",
  fault:
    "a model that prints 1 MB a request, one that fails each request, and callers that hang up while they send: logs stay below their bound, and answers go on",
  cases: ({ extent }) => {
    const requests = extent === "whole" ? 600 : 150;
    return [printing(requests), failing(requests), hangingUp(requests)];
  },
});

function printing(requests: number): HarmCase {
  return {
    name: `${requests} MB printed`,
    fault: async ({ upstream, home }) => {
      const until = upstream.asked + requests;
      upstream.says({ print_bytes: PRINTED_BYTES });
      await pollUntil(() => upstream.asked >= until, waiting("requests of a model that prints"));
      upstream.says({});
      return staysBelow(home, BOUND_BYTES);
    },
  };
}

function failing(requests: number): HarmCase {
  return {
    name: `${requests} failures`,
    fault: async ({ upstream, home }, load) => {
      const before = await bytesIn(home);
      const until = load.sent + requests;
      load.modelMayFail();
      upstream.says({ fail: true });
      await pollUntil(() => load.sent >= until, waiting("failures"));
      upstream.says({});
      load.modelMayAnswerAgain();
      return staysBelow(home, before + LITTLE_BYTES);
    },
  };
}

function hangingUp(requests: number): HarmCase {
  return {
    name: `${requests} callers hang up`,
    fault: async ({ url, home }) => {
      const before = await bytesIn(home);
      for (let count = 0; count < requests; count += 1) await hangUp(url);
      return staysBelow(home, before + LITTLE_BYTES);
    },
  };
}

async function hangUp(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on("error", () => undefined);
  const length = 1000;
  socket.write(
    `POST /predict HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n{"entity`,
  );
  await delay(20);
  socket.destroy();
}

/** A moment later, too: what rotates files does so in its turn. */
async function staysBelow(home: string, bound: number): Promise<string[]> {
  const isBelow = async () => (await bytesIn(home)) <= bound;
  try {
    await pollUntil(isBelow, { deadlineMs: 20_000, intervalMs: 500, what: "logs below their bound" });
    return [];
  } catch {
    const found = await bytesIn(home);
    return [`logs stay below ${megabytes(bound)} MB, but they take ${megabytes(found)} MB`];
  }
}

const megabytes = (bytes: number) => (bytes / 1024 / 1024).toFixed(1);

function waiting(what: string) {
  return { deadlineMs: 300_000, intervalMs: 50, what };
}

/** Of everything that is written while servers and routers run. */
async function bytesIn(home: string): Promise<number> {
  const sizes = ["run", "router"].map(async (folder) => {
    const root = join(home, folder);
    const files = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
    const each = files
      .filter((file) => file.isFile() && !file.name.endsWith(".jsonl"))
      .map((file) =>
        stat(join(file.parentPath, file.name)).then(
          (found) => found.size,
          () => 0,
        ),
      );
    return (await Promise.all(each)).reduce((total, size) => total + size, 0);
  });
  return (await Promise.all(sizes)).reduce((total, size) => total + size, 0);
}
