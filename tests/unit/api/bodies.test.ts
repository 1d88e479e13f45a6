import { request } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { MOST_OUTCOMES_AT_ONCE } from "../../../src/agents/model_deployer/collection/record_outcomes.ts";
import { listen } from "../../../src/api/api_server.ts";
import { ANAS_TOKEN, givenApi } from "../../support/given/given_api.ts";

async function given() {
  const { api, unexpected } = await givenApi();
  const server = await listen(api, { host: "127.0.0.1", port: 0 });
  onTestFinished(async () => {
    await server.close();
    expect(unexpected).toEqual([]);
  });
  const { url } = server;
  const headers = { authorization: `Bearer ${ANAS_TOKEN}`, "content-type": "application/json" };
  /** Over a socket, in pieces of which no length is told. */
  const send = (method: string, path: string, pieces: string[]) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const asking = request(`${url}${path}`, { method, headers }, (answer) => {
        let text = "";
        answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
      });
      asking.on("error", reject);
      for (const piece of pieces) asking.write(piece);
      asking.end();
    });
  return { url, headers, send };
}

test("what is deleted over a socket needs no body, and no length of one", async () => {
  const { url, headers, send } = await given();
  expect((await fetch(`${url}/v1/session`, { method: "DELETE", headers })).status).toBe(204);
  expect((await send("DELETE", "/v1/session", [])).status).toBe(204);
  expect((await send("DELETE", "/v1/tokens/nobody", [])).status).toBe(403);
});

test("a body that comes in pieces is read, and one without an end is not", async () => {
  const { send } = await given();
  const body = JSON.stringify({ outcomes: [{ request_id: "ä", outcome: 1 }] });
  const bytes = [body.slice(0, 20), body.slice(20)];
  expect((await send("POST", "/v1/outcomes", bytes)).status).toBe(200);
  const endless = await send(
    "POST",
    "/v1/outcomes",
    Array.from({ length: 60 }, () => " ".repeat(100_000)),
  );
  expect(endless).toMatchObject({ status: 400 });
  expect(endless.text).toContain("at most 4194304 bytes");
});

test("the largest batch of outcomes is taken, by the longest ids", async () => {
  const { url, headers } = await given();
  const id = (index: number) => `${index}`.padStart(200, "0");
  const outcomes = Array.from({ length: MOST_OUTCOMES_AT_ONCE }, (_, index) => ({
    ...{ request_id: id(index), outcome: Math.PI * 1e-300 },
  }));
  const body = JSON.stringify({ outcomes });
  const answer = await fetch(`${url}/v1/outcomes`, { method: "POST", headers, body });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ waiting: MOST_OUTCOMES_AT_ONCE });
});
