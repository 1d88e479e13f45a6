import type { KeptLooks } from "../../domain/evidence/kept_look.ts";

export interface KeptLooksReader {
  /** The kept looks of a rollout; null where there is no such rollout, or it began before looks were kept. */
  of(rolloutId: string): Promise<KeptLooks | null>;
}
