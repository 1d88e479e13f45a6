import { expect, it } from "vitest";
import type { VersionFigures } from "../../../agents/model_deployer/domain/evidence/figures.ts";
import { pollUntil } from "../../poll.ts";
import { options, route, type Within } from "./harness.ts";

/** How many answers are counted by how long they took. */
const timed = ({ latency_counts = [] }: VersionFigures) =>
  latency_counts.reduce((sum, count) => sum + count, 0);

/** Of requests and errors, by epoch. */
export function describeCounts(within: Within): void {
  it(
    "counts requests and errors of each deployment, the mirror's too, in an epoch that ends with the listener",
    within(async ({ router, startServer, sendRequests, crash }) => {
      const { endpoint_url } = await router.open("churn", options);
      const servers = [await startServer("good", 200), await startServer("broken", 500)];
      expect(await router.figures("churn", options)).toEqual([]);
      await router.apply(route(1, { good: 100 }, "broken"), servers, options);
      await sendRequests("churn", endpoint_url, 20);
      const counted = await pollUntil(
        async () => {
          const [broken, good] = await router.figures("churn", options);
          const isWhole = broken?.requests === 20 && good?.requests === 20 && timed(broken) === 20;
          return isWhole ? { broken, good } : null;
        },
        { deadlineMs: 120_000, what: "20 counted requests" },
      );
      expect(counted.broken).toMatchObject({ deployment_id: "broken", errors: 20, client_errors: 0 });
      expect(counted.good).toMatchObject({ deployment_id: "good", errors: 0, client_errors: 0 });
      expect(timed(counted.good)).toBe(20);
      expect(counted.good.p50_ms).toBeLessThanOrEqual(counted.good.p99_ms ?? 0);

      await crash("churn");
      await router.open("churn", options);
      await sendRequests("churn", endpoint_url, 1);
      const anew = await pollUntil(
        async () => (await router.figures("churn", options)).find((f) => f.deployment_id === "good"),
        { deadlineMs: 120_000, what: "figures of the new epoch" },
      );
      expect(anew.epoch).not.toBe(counted.good.epoch);
      expect(anew.requests).toBe(1);
    }),
  );

  it(
    "counts on in one epoch while routes change",
    within(async ({ router, startServer, sendRequests }) => {
      const { endpoint_url } = await router.open("churn", options);
      const servers = [await startServer("a", 200), await startServer("b", 200)];
      const epochs = new Set<string>();
      const weights = [{ a: 100 }, { b: 100 }, { a: 100 }];
      for (const [index, weight] of weights.entries()) {
        await router.apply(route(index + 1, weight), servers, options);
        await sendRequests("churn", endpoint_url, 5);
        const figures = await router.figures("churn", options);
        for (const { deployment_id, epoch } of figures) if (deployment_id === "a") epochs.add(epoch);
      }
      const a = (await router.figures("churn", options)).find((f) => f.deployment_id === "a");
      expect(a?.requests).toBe(10);
      expect(epochs.size).toBe(1);
    }),
  );
}
