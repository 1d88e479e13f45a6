import { z } from "zod";

const memorySchema = z.instanceof(SharedArrayBuffer);

export const callersDataSchema = z.strictObject({
  endpoint_url: z.string(),
  ledger: z.strictObject({ counters: memorySchema, weights: memorySchema, slots: memorySchema }),
  /** Callers that ask again as soon as they have their answer. */
  busy: z.int(),
  /** As those, but each asks for an answer that takes its time. */
  slow: z.int(),
  /** Callers that keep their connection and let switches pass between two requests. */
  held: z.int(),
});

export const callersReportSchema = z.strictObject({
  lost: z.int(),
  /** Answered by a generation that was no longer the last one when the answer came. */
  over_a_switch: z.int(),
  on_held_connections: z.int(),
  /** Met a closed listener and were sent again. */
  sent_again: z.int(),
  /** By the switch, counted from one, that was under way. */
  wrong: z.array(z.strictObject({ at: z.int(), what: z.string() })),
});
export type CallersReport = z.infer<typeof callersReportSchema>;

export const toUpstreamsSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("start"), name: z.string(), port: z.int() }),
  /** Without mercy: what is under way is cut. */
  z.strictObject({ kind: z.literal("kill"), port: z.int() }),
]);

export const fromUpstreamsSchema = z.strictObject({ port: z.int() });
