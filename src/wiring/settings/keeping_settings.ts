import { z } from "zod";

const MEGABYTE = 1024 * 1024;

export const keepingVariables = {
  MODEL_DEPLOYER_RESERVE_MB: z.coerce.number().int().min(0).max(10_240).default(16),
  MODEL_DEPLOYER_LOW_DISK_MB: z.coerce.number().int().min(0).max(10_485_760).default(1024),
  MODEL_DEPLOYER_PRUNE_DAYS: z
    .union([z.literal("off"), z.coerce.number("off, or days").min(0.01).max(3650)])
    .default(30),
  MODEL_DEPLOYER_PRUNE_GB: z.coerce.number().min(0.001).max(1_000_000).optional(),
  MODEL_DEPLOYER_REHEARSE_HOURS: z.coerce.number().min(0.1).max(8760).optional(),
};
type Values = z.infer<z.ZodObject<typeof keepingVariables>>;

export interface KeepingSettings {
  /** A thing that nobody needs goes after so many days; null: a worker removes nothing. */
  pruneDays: number | null;
  /** Above this size it goes sooner; null: any size. */
  pruneBytes: number | null;
  /** How often it rehearses the ways back; null: never by itself. */
  rehearseHours: number | null;
}

export interface DiskSettings {
  /** Kept in the home for rollbacks while the disk is full; 0 keeps nothing. */
  reserveBytes: number;
  /** `doctor`, `status` and the worker warn of a disk with less room than this. */
  lowDiskBytes: number;
}

export function keepingOf(values: Values): KeepingSettings {
  const { MODEL_DEPLOYER_PRUNE_DAYS: days, MODEL_DEPLOYER_PRUNE_GB: gigabytes } = values;
  return {
    pruneDays: days === "off" ? null : days,
    pruneBytes: gigabytes === undefined ? null : gigabytes * 1e9,
    rehearseHours: values.MODEL_DEPLOYER_REHEARSE_HOURS ?? null,
  };
}

export function diskOf(values: Values): DiskSettings {
  return {
    reserveBytes: values.MODEL_DEPLOYER_RESERVE_MB * MEGABYTE,
    lowDiskBytes: values.MODEL_DEPLOYER_LOW_DISK_MB * MEGABYTE,
  };
}
