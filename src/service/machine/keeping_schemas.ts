import { z } from "zod";
import { PRUNABLE_KINDS } from "../../keeping/prunable_store.ts";

export const PRUNED_KINDS = [...PRUNABLE_KINDS, "rows"] as const;
export const prunedKindSchema = z.enum(PRUNED_KINDS);

const itemSchema = z.strictObject({
  kind: z.enum(PRUNABLE_KINDS),
  name: z.string(),
  bytes: z.number(),
  used_at: z.string(),
});
const rowsSchema = z.strictObject({ name: z.string(), rows: z.int(), bytes: z.number().nullable() });

export const pruneReportSchema = z.strictObject({
  /** `planned`: nothing was asked to be removed. */
  status: z.enum(["planned", "pruned", "declined", "nothing"]),
  /** The things that go, or have gone. */
  removed: z.array(itemSchema),
  /** The things that stay, and why. */
  kept: z.array(itemSchema.extend({ why: z.string() })),
  /** The things that were to go and stay, since somebody has begun to need them. */
  spared: z.array(z.strictObject({ kind: z.enum(PRUNABLE_KINDS), name: z.string(), why: z.string() })),
  rows: z.array(rowsSchema),
  freed_bytes: z.number(),
  kept_bytes: z.number(),
  notes: z.array(z.string()),
});
export type PruneReport = z.infer<typeof pruneReportSchema>;

export const backupReportSchema = z.strictObject({
  file: z.string(),
  bytes: z.number(),
  made_at: z.string(),
  encrypted: z.boolean(),
  rows: z.int(),
  bentos: z.array(z.string()),
  /** Needed, and not in the store. */
  missing_bentos: z.array(z.string()),
});

export const restoreReportSchema = z.strictObject({
  made_at: z.string(),
  rows: z.int(),
  bentos: z.array(z.string()),
  /** Endpoints whose router had a route in force. */
  ahead: z.array(z.string()),
});

export const rehearsalReportSchema = z.strictObject({
  rehearsals: z.array(
    z.strictObject({
      endpoint_name: z.string(),
      deployment_id: z.string().nullable(),
      /** `unready`: something would have to be made or fetched first; `none`: there is no way back. */
      outcome: z.enum(["works", "fails", "unready", "none"]),
      /** From the start of its process to its first answer. */
      cold_seconds: z.number().nullable(),
      reason: z.string(),
    }),
  ),
});
