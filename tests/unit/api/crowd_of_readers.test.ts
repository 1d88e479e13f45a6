import { Agent, request } from "undici";
import { expect, onTestFinished, test } from "vitest";
import { listen } from "../../../src/api/api_server.ts";
import { problemSchema } from "../../../src/api/problem.ts";
import { ANAS_TOKEN, givenApi } from "../../support/given/given_api.ts";

/** Each is a connection of its own. */
const CROWD = Number(process.env["CROWD_OF_READERS"] ?? 500);
const MOST = Math.ceil(CROWD / 10);
const AT_ONCE = 50;

test("of a crowd that wants events as many are served as may be; the others are told to come back, and whoever asks for anything else is answered", async () => {
  const { api, unexpected } = await givenApi({ limits: { mostStreams: MOST, mostOfOne: MOST } });
  const server = await listen(api, { host: "127.0.0.1", port: 0 });
  const agent = new Agent({ connections: CROWD, pipelining: 0, headersTimeout: 0, bodyTimeout: 0 });
  onTestFinished(async () => {
    await agent.destroy();
    await server.close();
  });
  const ask = (path: string) =>
    request(`${server.url}${path}`, {
      dispatcher: agent,
      headers: { authorization: `Bearer ${ANAS_TOKEN}` },
    });
  const answers: Record<string, number> = {};
  const count = (answer: string) => {
    answers[answer] = (answers[answer] ?? 0) + 1;
  };
  const wanting = Array.from({ length: CROWD }).values();
  const reader = async () => {
    for (const _ of wanting) {
      const { statusCode, body } = await ask("/v1/events");
      if (statusCode === 200) {
        count("served");
        // Read on, until the stream ends with the test.
        body.on("error", () => undefined).resume();
      } else count(`${statusCode} ${problemSchema.parse(await body.json()).code}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, reader));
  expect(answers).toEqual({ served: MOST, "503 too_many_streams": CROWD - MOST });
  expect(api.streams()).toBe(MOST);
  const other = await ask("/v1/endpoints");
  expect(other.statusCode).toBe(200);
  await other.body.dump();
  expect(unexpected).toEqual([]);
});
