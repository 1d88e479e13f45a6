import { pollUntil } from "../../src/testing/poll.ts";

export interface AskedEndpoint {
  name: string;
  url: string;
}

const DEADLINE_MS = 600_000;
const BODY = JSON.stringify({ entity_id: "e1", features: { x: 1 }, time_horizon: "30d" });
const HEADERS = { "content-type": "application/json" };

/** Seconds since `began` until each endpoint has answered a prediction for the first time. */
export async function secondsToFirstAnswers(endpoints: AskedEndpoint[], began: number): Promise<number[]> {
  return Promise.all(
    endpoints.map(async ({ name, url }) => {
      const answers = async () => {
        const signal = AbortSignal.timeout(2000);
        const answer = await fetch(`${url}/predict`, {
          method: "POST",
          headers: HEADERS,
          body: BODY,
          signal,
        });
        await answer.arrayBuffer();
        return answer.ok;
      };
      await pollUntil(answers, { deadlineMs: DEADLINE_MS, intervalMs: 100, what: `answer of ${name}` });
      return (performance.now() - began) / 1000;
    }),
  );
}
