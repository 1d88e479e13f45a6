import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWorkshop, resources, type Workshop } from "../workshop.ts";

let workshop: Workshop;
const urls = new Map<string, string>();
const columns = {
  classifier: ["mean radius", "mean texture", "mean perimeter", "mean area", "mean smoothness"],
  regressor: ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"],
} as const;
const models = ["classifier", "regressor"] as const;

beforeAll(async () => {
  workshop = await openWorkshop();
  for (const model of models) {
    const started = { deployment_id: `dep_${model}`, bento_tag: await workshop.pack(model), resources };
    const { host, port } = await workshop.server.start(started, { signal: AbortSignal.timeout(400_000) });
    urls.set(model, `http://${host}:${port}`);
  }
}, 1_200_000);

afterAll(async () => {
  await workshop.close();
});

async function answerTo(model: string, features: Record<string, number>): Promise<string> {
  const response = await fetch(`${urls.get(model) ?? ""}/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    signal: AbortSignal.timeout(120_000),
    body: JSON.stringify({ features }),
  });
  return `${response.status} ${await response.text()}`;
}

describe("callers that ask at the same moment", () => {
  it.each(models)("are each answered as one that asks alone: %s", async (model) => {
    const asked = Array.from({ length: 60 }, (_, number) =>
      Object.fromEntries(columns[model].map((name, place) => [name, (number / 600 - 0.05) * (place + 1)])),
    );
    const alone: string[] = [];
    for (const features of asked) alone.push(await answerTo(model, features));
    const among = await Promise.all(asked.map((features) => answerTo(model, features)));
    expect(among).toEqual(alone);
    expect(new Set(alone).size).toBeGreaterThan(asked.length / 3);
    expect(alone.every((answer) => answer.startsWith("200 "))).toBe(true);
  });
});
