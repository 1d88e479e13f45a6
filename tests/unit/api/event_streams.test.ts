import { expect, test } from "vitest";
import { ChangeFeed, type FeedEvent } from "../../../src/api/streams/change_feed.ts";
import { NOT_LOOKED_AT } from "../../../src/service/endpoints/endpoint_views.ts";
import {
  ENDPOINT,
  inProduction,
  pollUntil,
  readyForProduction,
  registerState,
} from "../../../src/testing/index.ts";
import { ANAS_TOKEN, givenApi, type GivenApi } from "../../support/given/given_api.ts";

const OMARS_TOKEN = "omar-has-a-long-secret";
const EVAS_TOKEN = "eva-has-a-long-secret";
const eventually = (look: () => boolean, what: string) => pollUntil(look, { deadlineMs: 300_000, what });

/** What a reader of a stream has got so far, by the name of each event. */
async function read({ ask }: GivenApi, token = ANAS_TOKEN) {
  const gone = new AbortController();
  const response = await ask("/v1/events", { token, signal: gone.signal });
  const events: { event: string; data: string }[] = [];
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const pump = async () => {
    let text = "";
    for (;;) {
      const next = await reader?.read();
      if (next === undefined || next.done) return;
      text += next.value;
      const parts = text.split("\n\n");
      text = parts.pop() ?? "";
      for (const part of parts) {
        const [, event = "", data = ""] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? [];
        if (event !== "") events.push({ event, data });
      }
    }
  };
  return { response, events, ended: pump(), leave: () => reader?.cancel() };
}

test("a reader gets all that is there, then each change", async () => {
  const given = await givenApi();
  await inProduction(given.deployer, "run1");
  const stream = await read(given);
  expect(stream.response.headers.get("content-type")).toBe("text/event-stream");
  await eventually(
    () => stream.events.some((one) => one.event === "endpoint"),
    "the first sight of the endpoint",
  );
  expect(stream.events[0]?.data).toContain(ENDPOINT);
  await given.ask("/v1/actions", { body: registerState({ mlflow_run_id: "run2" }) });
  await eventually(
    () => stream.events.some((one) => one.event === "history"),
    "the registration in the history",
  );
  await stream.leave();
  await eventually(() => given.api.streams() === 0, "the end of the stream");
});

test("one stream more than may be open is refused, and the others go on", async () => {
  const given = await givenApi({ limits: { mostStreams: 2 } });
  const streams = [await read(given), await read(given)];
  expect(await given.problem("/v1/events")).toMatchObject({
    status: 503,
    code: "too_many_streams",
    retryable: true,
  });
  expect(given.api.streams()).toBe(2);
  given.api.end();
  await Promise.all(streams.map((one) => one.ended));
  expect(given.api.streams()).toBe(0);
});

test("a reader who does not read is let go", async () => {
  const given = await givenApi({ limits: { mostUnreadBytes: 64 } });
  await inProduction(given.deployer, "run1");
  const response = await given.ask("/v1/events");
  await eventually(() => given.api.streams() === 0, "the end of a stream that nobody reads");
  await response.body?.cancel();
});

test("one principal does not take the streams of all others", async () => {
  const given = await givenApi({ limits: { mostStreams: 10, mostOfOne: 2 } });
  await given.deployer.database.principals.enrol("omar", OMARS_TOKEN);
  const streams = [await read(given), await read(given)];
  const refused = await given.problem("/v1/events");
  expect(refused).toMatchObject({ status: 503, code: "too_many_streams", retryable: true });
  expect(refused.detail).toContain("ana has 2 event streams open");
  const other = await given.ask("/v1/events", { token: OMARS_TOKEN });
  expect(other.status).toBe(200);
  given.api.end();
  await Promise.all(streams.map((one) => one.ended));
  await other.body?.cancel();
});

test("what changes while a reader joins is told, however early", async () => {
  const { deployer } = await givenApi();
  const { database } = deployer;
  const reading = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const readMarks = async () => {
    reading.resolve();
    await goOn.promise;
    return database.marks.read();
  };
  const feed = new ChangeFeed(database, { vitalsOf: () => NOT_LOOKED_AT, everyMs: 10, readMarks });
  const leaving = new AbortController();
  const told: FeedEvent[] = [];
  const joined = feed.join((events) => told.push(...events), leaving.signal);
  await reading.promise;
  await inProduction(deployer, "run1");
  goOn.resolve();
  await joined;
  await eventually(
    () => told.some((one) => one.event === "endpoint"),
    "the endpoint that was opened meanwhile",
  );
  leaving.abort();
});

test("what changes while all that is there is read is told after it", async () => {
  const { deployer } = await givenApi();
  await inProduction(deployer, "run1");
  const { database } = deployer;
  const { summaries } = database;
  const list = summaries.list.bind(summaries);
  const feed = new ChangeFeed(database, { vitalsOf: () => NOT_LOOKED_AT, everyMs: 10 });
  const leaving = new AbortController();
  const [first, second]: [FeedEvent[], FeedEvent[]] = [[], []];
  await feed.join((events) => first.push(...events), leaving.signal);

  const reading = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  Object.assign(summaries, {
    list: async (names: string[] | null) => {
      const found = await list(names);
      if (names !== null) return found;
      reading.resolve();
      await goOn.promise;
      return found;
    },
  });
  const joined = feed.join((events) => second.push(...events), leaving.signal);
  await reading.promise;
  const generations = (told: FeedEvent[]) =>
    told.flatMap((one) => (one.event === "endpoint" ? [one.data.generation] : []));
  const [before = 0] = generations(first);
  await inProduction(deployer, "run2");
  await eventually(() => (generations(first).at(-1) ?? 0) > before, "the change at the first reader");
  expect(second).toEqual([]);
  goOn.resolve();
  await joined;
  expect(generations(second)[0]).toBe(before);
  await eventually(() => generations(second).at(-1) === generations(first).at(-1), "the same at the second");
  leaving.abort();
});

test("whoever has a role for one experiment is told nothing of another: no endpoint, no operation, no figures", async () => {
  const given = await givenApi();
  const { database } = given.deployer;
  const relapse = {
    ...{ experiment_id: "relapse", experiment_name: "Relapse", prediction_target: "relapse" },
    ...{ minimum_auc: 0.8, minimum_precision_at_k: null, maximum_fpr: null },
  };
  await database.experiments.create(relapse, "ana");
  await database.principals.enrol("eva", EVAS_TOKEN, { roles: ["viewer"], experiment_id: "relapse" });
  await inProduction(given.deployer, "run1");
  const all = await read(given);
  const own = await read(given, EVAS_TOKEN);
  await eventually(() => all.events.some((one) => one.event === "vitals"), "figures for whoever sees all");
  await readyForProduction(given.deployer, "run2");
  const histories = () => own.events.filter((one) => one.event === "history").length;
  await eventually(() => histories() > 0, "word of the history, which names nothing");
  expect(JSON.stringify(all.events)).toContain("remission");
  expect(own.events.filter(({ event }) => event !== "history")).toEqual([]);
  expect(JSON.stringify(own.events)).not.toContain("remission");
  await Promise.all([all.leave(), own.leave()]);
});
