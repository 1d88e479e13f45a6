import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { beforeAll, expect, test } from "vitest";
import { pollUntil } from "../../../src/testing/poll.ts";
import { type EnvoyFixture, makeEnvoyFixture, prepareEnvoy } from "./fixture.ts";

beforeAll(prepareEnvoy);

const options = { signal: new AbortController().signal };
const AT_ONCE = 16;
const DEADLINE_MS = 120_000;

const bodyOf = (id: string, size: number) => JSON.stringify({ id, row: "x".repeat(size) });

/** A request on a connection of one's own; `fields` are further header lines. */
function bytesOf(id: string, body: string, fields = ""): string {
  const head = `POST /predict HTTP/1.1\r\nhost: churn\r\nx-request-id: ${id}\r\n`;
  return `${head}content-length: ${Buffer.byteLength(body)}\r\n${fields}\r\n${body}`;
}

async function dial(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** Many on kept-alive connections, some of them large, a few at once. */
async function sendMany({ predict }: EnvoyFixture, url: string, sent: Map<string, string>): Promise<void> {
  for (let round = 0; round < 20; round += 1) {
    const ids = Array.from({ length: AT_ONCE }, (_, index) => `many-${round}-${index}`);
    const answers = await Promise.all(
      ids.map((id, index) => {
        const body = bodyOf(id, index === 0 ? 4_000_000 : index * 10_000);
        sent.set(id, body);
        return predict(url, { "x-request-id": id }, body);
      }),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
  }
}

/** Its second half goes out when another request has been sent and answered since the first. */
async function sendSlowly({ predict }: EnvoyFixture, url: string, sent: Map<string, string>): Promise<void> {
  for (let count = 0; count < 5; count += 1) {
    const [id, between] = [`slow-${count}`, `between-${count}`];
    const body = bodyOf(id, 200_000);
    const bytes = bytesOf(id, body, "connection: close\r\n");
    const socket = await dial(url);
    socket.write(bytes.slice(0, 100_000));
    sent.set(between, bodyOf(between, 10)).set(id, body);
    await predict(url, { "x-request-id": between }, bodyOf(between, 10));
    socket.write(bytes.slice(100_000));
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 503 .*no_production_version/s);
  }
}

/** Three in one write, of which only the last ends the connection. */
async function sendPipelined(url: string, sent: Map<string, string>): Promise<void> {
  const ids = ["pipelined-1", "pipelined-2", "pipelined-3"];
  for (const id of ids) sent.set(id, bodyOf(id, 50_000));
  const socket = await dial(url);
  socket.write(
    ids
      .map((id, index) => bytesOf(id, sent.get(id) ?? "", index === 2 ? "connection: close\r\n" : ""))
      .join(""),
  );
  expect((await text(socket)).match(/HTTP\/1\.1 503 /g)).toHaveLength(3);
}

test("an endpoint's first shadow gets every request whole, and each counts, while callers get their 503", async () => {
  const fixture = await makeEnvoyFixture();
  try {
    const { endpoint_url: url } = await fixture.router.open("churn", options);
    const shadow = await fixture.startServer("shadow");
    const route = { endpoint_name: "churn", generation: 1, weights: {}, mirror_deployment_id: "shadow" };
    await fixture.router.apply(route, [shadow.address], options);
    const sent = new Map<string, string>();
    await sendMany(fixture, url, sent);
    await sendSlowly(fixture, url, sent);
    await sendPipelined(url, sent);

    await pollUntil(() => shadow.received.length >= sent.size, {
      deadlineMs: DEADLINE_MS,
      what: "mirrored requests",
    });
    const received = new Map(shadow.received.map(({ request_id, body }) => [request_id, body]));
    const cut = [...sent].filter(([id, body]) => received.get(id) !== body).map(([id]) => id);
    expect({ cut, received: shadow.received.length }).toEqual({ cut: [], received: sent.size });
    const counted = async () => {
      const figures = await fixture.router.figures("churn", options);
      const own = figures.find(({ deployment_id }) => deployment_id === "shadow");
      return own?.requests === sent.size ? own : null;
    };
    const figures = await pollUntil(counted, {
      deadlineMs: DEADLINE_MS,
      what: "the mirrored requests' figures",
    });
    expect(figures.errors).toBe(0);
  } finally {
    await fixture.dispose();
  }
});

test("a body that no server would take is refused at once, and what comes after it is mirrored", async () => {
  const fixture = await makeEnvoyFixture();
  try {
    const { endpoint_url: url } = await fixture.router.open("churn", options);
    const shadow = await fixture.startServer("shadow");
    const route = { endpoint_name: "churn", generation: 1, weights: {}, mirror_deployment_id: "shadow" };
    await fixture.router.apply(route, [shadow.address], options);
    const tooLarge = "x".repeat(18 * 1024 * 1024);
    const status = await fixture.predict(url, { "x-request-id": "large" }, tooLarge).then(
      (answer) => answer.status,
      () => "cut",
    );
    expect([413, "cut"]).toContain(status);
    expect((await fixture.predict(url, { "x-request-id": "next" }, "{}")).status).toBe(503);
    const isThere = () => shadow.received.some(({ request_id }) => request_id === "next");
    await pollUntil(isThere, { deadlineMs: DEADLINE_MS, what: "the next one, mirrored" });
  } finally {
    await fixture.dispose();
  }
});
