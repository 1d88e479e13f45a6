import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { type EndpointAnswer, predict } from "../../../src/pipeline/prediction_client.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { act, readyForProduction, toProduction, usualRow } from "./world.ts";

const CLIENTS = 3;

/** prediction_synthesizer's own client, asking without a pause, with its timeout of 5.0 s and its three retries. */
class Clients {
  readonly answers: { phase: string; answer: EndpointAnswer }[] = [];
  readonly lost: unknown[] = [];
  phase = "before";
  readonly #stopped = new AbortController();
  readonly #url: string;
  #running: Promise<unknown> = Promise.resolve();

  constructor(url: string) {
    this.#url = url;
  }

  start(): void {
    this.#running = Promise.all(Array.from({ length: CLIENTS }, (_, index) => this.#ask(index)));
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  /** Waits for answers to requests that were sent in this phase. */
  async answered(phase: string, count: number): Promise<void> {
    this.phase = phase;
    await pollUntil(() => this.of(phase).length >= count, {
      deadlineMs: 120_000,
      what: `${count} answers ${phase} the change`,
    });
  }

  of(phase: string): EndpointAnswer[] {
    return this.answers.filter((one) => one.phase === phase).map((one) => one.answer);
  }

  async #ask(client: number): Promise<void> {
    for (let sent = client; !this.#stopped.signal.aborted; sent += CLIENTS) {
      const { phase } = this;
      const features = usualRow(sent);
      const request = { entity_id: `patient_${sent}`, features, time_horizon: "30d", return_proba: true };
      const asking = { key: null, signal: new AbortController().signal };
      await predict(this.#url, request, asking).then(
        (answer) => this.answers.push({ phase, answer }),
        (error: unknown) => this.lost.push(error),
      );
      await nextTurn();
    }
  }
}

test("prediction_synthesizer's client loses no answer across a rollout and a rollback", async () => {
  const first = await readyForProduction("v1");
  const { deployment_id: old, endpoint_url: url } = await toProduction(first.model_version_id);
  const second = await readyForProduction("v2");

  const clients = new Clients(url);
  clients.start();
  await clients.answered("before", 30);
  clients.phase = "during";
  const steps = [
    { weight: 50, bake_seconds: 600 },
    { weight: 100, bake_seconds: 0 },
  ];
  const rolling = await toProduction(second.model_version_id, { rollout: { steps } });
  const candidate = rolling.deployment_id;
  await clients.answered("half way", 60);
  const back = { current_deployment_id: candidate, rollback_reason: "a test says so" };
  clients.phase = "rolling back";
  expect(await act("rollback", back)).toMatchObject({ rollback_successful: true });
  await clients.answered("after", 60);
  await clients.stop();

  expect(clients.lost).toEqual([]);
  const versions: Record<string, string> = {
    [old]: String(first.version),
    [candidate]: String(second.version),
  };
  for (const { answer } of clients.answers) {
    expect(answer.model_version).toBe(versions[answer.deployment_id ?? ""]);
    expect(answer.confidence).toBeGreaterThanOrEqual(0.5);
    expect(answer.features_used.length).toBeGreaterThan(0);
  }
  const whoAnswered = (phase: string) => new Set(clients.of(phase).map((answer) => answer.deployment_id));
  expect(whoAnswered("before")).toEqual(new Set([old]));
  expect(whoAnswered("half way")).toEqual(new Set([old, candidate]));
  expect(whoAnswered("after")).toEqual(new Set([old]));
}, 600_000);
