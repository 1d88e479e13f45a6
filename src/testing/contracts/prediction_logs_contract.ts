import { describe, expect, it } from "vitest";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type {
  LoggedPrediction,
  PredictionLogs,
} from "../../agents/model_deployer/ports/evidence/prediction_logs_port.ts";

export interface PredictionLogsSubject {
  logs: PredictionLogs;
  write: (deploymentId: string, predictions: LoggedPrediction[]) => Promise<void>;
  dispose: () => Promise<void>;
}

const options = { signal: new AbortController().signal };
const some = (count: number, from = 0): LoggedPrediction[] =>
  Array.from({ length: count }, (_, index) => ({
    request_id: `r${from + index}`,
    prediction: (from + index) % 2,
    score: 0.25,
  }));

/** All that is there to read, piece by piece. */
async function readAll(logs: PredictionLogs, deploymentId: string, from: string | null = null) {
  const predictions: LoggedPrediction[] = [];
  let position = from;
  for (;;) {
    const read = await logs.read(deploymentId, position, options);
    if (read.position === position) return { predictions, position };
    predictions.push(...read.predictions);
    position = read.position;
  }
}

/** The contract of PredictionLogs. */
export function describePredictionLogs(name: string, make: () => Promise<PredictionLogsSubject>): void {
  const within = (work: (harness: PredictionLogsSubject) => Promise<void>) => async () => {
    const harness = await make();
    await work(harness).finally(() => harness.dispose());
  };

  describe(`prediction logs: ${name}`, () => {
    it(
      "has nothing for a deployment that never answered, and begins where its log begins",
      within(async ({ logs, write }) => {
        expect(await logs.read("d1", null, options)).toEqual({ predictions: [], position: null });
        await write("d1", some(3));
        expect((await readAll(logs, "d1")).predictions).toEqual(some(3));
      }),
    );

    it(
      "goes on behind what was read, and reads nothing twice",
      within(async ({ logs, write }) => {
        await write("d1", some(3));
        const { position } = await readAll(logs, "d1");
        expect(await logs.read("d1", position, options)).toEqual({ predictions: [], position });
        await write("d1", some(2, 3));
        expect((await readAll(logs, "d1", position)).predictions).toEqual(some(2, 3));
      }),
    );

    it(
      "keeps deployments apart, and reads the same from the same position",
      within(async ({ logs, write }) => {
        await write("d1", some(1));
        await write("d2", some(2, 7));
        const first = await logs.read("d2", null, options);
        expect(await logs.read("d2", null, options)).toEqual(first);
        expect(first.predictions).toEqual(some(2, 7));
      }),
    );

    it(
      "gives failed requests only to whoever asks for them, with the time at which each began",
      within(async ({ logs, write }) => {
        const answered_at = "2026-01-01T00:00:00.000Z";
        const lines = [
          { request_id: "r1", prediction: "yes", score: null, answered_at },
          { request_id: "r2", prediction: null, score: null, answered_at, has_failed: true },
        ];
        await write("d1", lines);
        const { predictions, position } = await logs.read("d1", null, options);
        expect(predictions).toEqual(lines.slice(0, 1));
        const all = await logs.read("d1", null, { ...options, with_failures: true });
        expect(all).toEqual({ predictions: lines, position });
      }),
    );

    it(
      "reads a long log to its end",
      within(async ({ logs, write }) => {
        await write("d1", some(1));
        const { position } = await readAll(logs, "d1");
        await write("d1", some(2500, 1));
        expect((await readAll(logs, "d1", position)).predictions).toHaveLength(2500);
      }),
    );

    it(
      "answers an aborted call with a typed error",
      within(async ({ logs }) => {
        const aborted = { signal: AbortSignal.abort() };
        await expect(logs.read("d1", null, aborted)).rejects.toThrow(ServiceUnavailableError);
      }),
    );
  });
}
