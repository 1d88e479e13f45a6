import { afterAll, beforeAll, expect, test } from "vitest";
import { noPredictions } from "../../../../src/agents/model_deployer/domain/evidence/compared_predictions.ts";
import {
  addPredictions,
  logPredictionEvidence,
  shiftOf,
} from "../../../../src/agents/model_deployer/judge/evidence/prediction_evidence.ts";
import { BentoMLPredictionLogs } from "../../../../src/mlops/bentoml/prediction_logs.ts";
import type { KeptRowSettings } from "../../../../src/agents/model_deployer/domain/evidence/kept_rows.ts";
import { pollUntil } from "../../../../src/testing/poll.ts";
import { ask } from "../asked.ts";
import { openWorkshop, resources, type Workshop } from "../workshop.ts";

let workshop: Workshop;
let logs: BentoMLPredictionLogs;
const urls = new Map<string, string>();
const options = { signal: AbortSignal.timeout(600_000) };

beforeAll(async () => {
  workshop = await openWorkshop();
  logs = new BentoMLPredictionLogs(workshop.server);
  const bento_tag = await workshop.pack("classifier");
  for (const deployment_id of ["dep_old", "dep_new"]) {
    const { host, port } = await workshop.server.start({ deployment_id, bento_tag, resources }, options);
    urls.set(deployment_id, `http://${host}:${port}`);
  }
});

afterAll(async () => {
  await workshop.close();
});

let asked = 0;
/** One request whose tumour is so many times as large as a usual one. */
async function predict(deployment: string, size: number): Promise<string> {
  const id = `${deployment}-${(asked += 1)}`;
  const features = {
    "mean radius": 14 * size,
    "mean texture": 19.3,
    "mean perimeter": 92 * size,
    "mean area": 655 * size * size,
    "mean smoothness": 0.096,
  };
  const body = { entity_id: "Ann Other", time_horizon: "30d", return_proba: true, features };
  const answer = await ask(`${urls.get(deployment) ?? ""}/predict`, body, { "x-request-id": id });
  expect(answer.status).toBe(200);
  return id;
}

const rowsOf = async (deployment: string) =>
  (await logs.read(deployment, null, options)).predictions.flatMap(({ request_id, row }) =>
    row === undefined ? [] : [{ request_id, ...row }],
  );

test("a server keeps rows once it is told to, without what is hidden, and can be asked them again unseen", async () => {
  await predict("dep_old", 1);
  expect(await rowsOf("dep_old")).toEqual([]);
  const settings: KeptRowSettings = {
    sample: 1,
    most: 10,
    hidden: ["entity_id"],
    hashed: ["mean texture"],
    on_errors: "refuse",
  };
  await workshop.server.keepRows("dep_old", settings);
  const isKept = async () => {
    const id = await predict("dep_old", 1);
    return (await rowsOf("dep_old")).find(({ request_id }) => request_id === id) ?? null;
  };
  const kept = await pollUntil(isKept, { deadlineMs: 120_000, what: "the server keeps a row" });
  expect(kept).toMatchObject({ path: "/predict", input: { entity_id: "hidden", time_horizon: "30d" } });
  const text = JSON.stringify(kept);
  expect(text).not.toContain("Ann Other");
  expect(text).toContain('"mean texture":"hash:');
  expect(text).toContain('"mean smoothness":0.096');

  const before = (await logs.read("dep_new", null, options)).predictions.length;
  const whole = {
    path: "/predict",
    input: { entity_id: "hidden", time_horizon: "30d", features: { "mean radius": 14 } },
  };
  const { status, body } = await workshop.server.predictRow("dep_new", whole, options);
  expect(status, body).toBe(400);
  expect(body).toContain("mean");
  expect((await logs.read("dep_new", null, { ...options, with_failures: true })).predictions).toHaveLength(
    before,
  );

  await workshop.server.keepRows("dep_old", null);
  const isEnded = async () => {
    const id = await predict("dep_old", 1);
    return !(await rowsOf("dep_old")).some(({ request_id }) => request_id === id);
  };
  await pollUntil(isEnded, { deadlineMs: 120_000, what: "the server keeps no more rows" });
});

test("what two servers log of their predictions tells one that predicts otherwise from one that does not", async () => {
  const position = new Map<string, string | null>();
  const newLines = async (deployment_id: string) => {
    const read = await logs.read(deployment_id, position.get(deployment_id) ?? null, options);
    position.set(deployment_id, read.position);
    return { deployment_id, ...read };
  };
  const sizeOf = (index: number) => 0.6 + 0.1 * (index % 10);
  const sharing = { generation: 1, share: 0.3, answer_seconds: 0 };
  const compare = async (ofNew: (index: number) => number) => {
    for (let index = 0; index < 60; index += 1) await predict("dep_old", sizeOf(index));
    const look = async (state: typeof noPredictions, now = Date.now()) => {
      const [candidate, baseline] = [await newLines("dep_new"), await newLines("dep_old")];
      return addPredictions(state, { candidate, baseline }, sharing, now);
    };
    let state = await look(await look(noPredictions));
    state = { ...state, since: 0 };
    for (let index = 0; index < 200; index += 1) {
      const isNew = index % 10 < 3;
      await predict(
        isNew ? "dep_new" : "dep_old",
        isNew ? ofNew(index) : sizeOf(Math.floor(index / 10) + index),
      );
      if (index % 20 === 19) state = await look(state);
    }
    return look(state, Date.now() + 5000);
  };
  const alike = await compare((index) => sizeOf(Math.floor(index / 10) + index));
  expect(logPredictionEvidence(alike)).toBeLessThan(Math.log(100));
  position.clear();
  const stuck = await compare(() => 0.6);
  expect(logPredictionEvidence(stuck)).toBeGreaterThan(Math.log(1000));
  expect(shiftOf(stuck)?.shift).toBeGreaterThan(0.2);
});
