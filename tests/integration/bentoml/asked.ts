import { expect } from "vitest";

/** Of a classifier whose features are the first five of scikit-learn's breast cancer data. */
export const tumour = {
  "mean radius": 17.99,
  "mean texture": 10.38,
  "mean perimeter": 122.8,
  "mean area": 1001.0,
  "mean smoothness": 0.1184,
};

/** GET without a body; a text is sent as it is. */
export async function ask(
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(120_000),
    headers: { "content-type": "application/json", ...headers },
    ...(body !== undefined && {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
    }),
  });
  return { status: response.status, answer: await response.json() };
}

/** As the pipeline's client asks for a prediction. */
export const request = (features: unknown) => ({
  entity_id: "HCP1",
  time_horizon: "30d",
  return_proba: true,
  features,
});

// expect's matchers are typed as any.
export const near = (value: number, digits = 2): unknown => expect.closeTo(value, digits);
export const containing = (text: string): unknown => expect.stringContaining(text);
export const some = (type: unknown): unknown => expect.any(type);
