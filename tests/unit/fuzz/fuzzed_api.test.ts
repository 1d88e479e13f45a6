import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { problemSchema } from "../../../src/api/problem.ts";
import { givenApi } from "../../support/given/given_api.ts";
import { anyJson, fuzzRuns, word } from "../../support/requests/fuzzed.ts";

const documentSchema = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });
/** They answer with a stream that does not end. */
const STREAMS = /stream|events|changes/;

test("whatever is asked of the API is answered by a problem that says why, never by an error of ours", async () => {
  const { ask, get, unexpected } = await givenApi();
  const { paths } = await get(documentSchema, "/v1/openapi.json");
  const known = Object.entries(paths)
    .filter(([path]) => !STREAMS.test(path))
    .flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ path, method: method.toUpperCase() })),
    );
  expect(known.length).toBeGreaterThan(10);
  const asked = fc.record({
    route: fc.constantFrom(...known),
    method: fc.option(fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"), {
      freq: 5,
    }),
    words: fc.array(word, { minLength: 4, maxLength: 4 }),
    query: fc.dictionary(word, word, { maxKeys: 3 }),
    body: fc.oneof(fc.constant(undefined), anyJson, word),
    token: fc.option(fc.constantFrom("wrong-token-of-some-length", ""), { freq: 8 }),
    headers: fc.dictionary(
      fc.constantFrom("if-match", "idempotency-key", "content-type", "accept", "last-event-id", "origin"),
      fc.string({ maxLength: 30 }),
      { maxKeys: 2 },
    ),
  });
  await fc.assert(
    fc.asyncProperty(asked, async ({ route, method, words, query, body, token, headers }) => {
      let next = 0;
      const path = route.path.replaceAll(/\{[^}]+\}/g, () =>
        encodeURIComponent(wellFormed(words[next++ % 4] ?? "")),
      );
      const search = new URLSearchParams(Object.entries(query)).toString();
      const verb = method ?? route.method;
      const sent = verb === "GET" || verb === "HEAD" ? undefined : body;
      const answer = await ask(`${path}${search === "" ? "" : `?${search}`}`, {
        ...{ method: verb, headers: printable(headers) },
        ...(sent === undefined ? {} : { body: sent }),
        ...(token === null ? {} : { token }),
      });
      expect(unexpected).toEqual([]);
      expect(answer.status, `${verb} ${path}`).toBeLessThan(500);
      const type = answer.headers.get("content-type") ?? "";
      if (answer.status < 400 || verb === "HEAD" || !type.includes("json")) return answer.body?.cancel();
      problemSchema.parse(await answer.json());
    }),
    { numRuns: fuzzRuns(0.3, 300), endOnFailure: true },
  );
});

const wellFormed = (text: string): string => text.toWellFormed();

/** A `Request` of the platform takes no other values, nor would a server pass them on. */
const printable = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replaceAll(/[^\x20-\x7e]/g, "").trim()]),
  );
