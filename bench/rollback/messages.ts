import { z } from "zod";

/** Messages of the measured thread to the thread of upstreams and callers. */
export const toThreadSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("call"), endpoint_url: z.string() }),
  z.strictObject({ kind: z.literal("watch"), deployment_id: z.string() }),
  z.strictObject({ kind: z.literal("ask_last"), deployment_id: z.string() }),
]);

/** The replies; `at` is the process's monotonic clock in nanoseconds, the same one in all threads. */
export const toMainSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("listening"), ports: z.array(z.int()) }),
  z.strictObject({ kind: z.literal("seen"), at: z.bigint(), asked: z.int(), lost: z.int() }),
  /** Null where it has never answered. */
  z.strictObject({ kind: z.literal("last"), at: z.bigint().nullable() }),
]);
